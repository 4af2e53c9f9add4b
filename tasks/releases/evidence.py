"""What the gate asks about beside the tables: the images, the stages' counts and the readers' results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreError
from schemas.letters import LETTER
from tasks.releases.candidate import Candidate
from tasks.releases.config import GateBounds
from tasks.releases.duplicates import near_duplicates
from tasks.releases.images import inspect_images
from tasks.releases.likeness import ImageReader
from tasks.releases.read import Release
from tasks.releases.stores import object_path

if TYPE_CHECKING:
    import duckdb

PASSING = ("pass",)
UNDECIDED = ("too few", "undecided")


def register_images(
    connection: duckdb.DuckDBPyConnection, candidate: Candidate, bounds: GateBounds, workers: int
) -> None:
    """Decode every image and add the tables `tile_images` and `near_duplicates`."""
    images = inspect_images(candidate.tables.get("tiles", ()), workers)
    split_of = dict(connection.execute("SELECT tile_id, split FROM tiles").fetchall())
    splits = [split_of.get(tile) for tile in images.tile_ids]
    pairs = near_duplicates(images, splits, ImageReader(candidate.tables.get("tiles", ())), bounds)
    seen = {"tile_id": images.tile_ids, "sha256": images.sha256, "problem": images.problems}
    connection.register("tile_images", pa.table({name: pa.array(column, pa.string()) for name, column in seen.items()}))
    alike = {
        "tile_id": pa.array([images.tile_ids[pair.first] for pair in pairs], pa.string()),
        "other_id": pa.array([images.tile_ids[pair.second] for pair in pairs], pa.string()),
        "bits": pa.array([pair.bits for pair in pairs], pa.int64()),
        "correlation": pa.array([pair.correlation for pair in pairs], pa.float64()),
        "detail": pa.array([pair.detail for pair in pairs], pa.float64()),
    }
    connection.register("near_duplicates", pa.table(alike))


def register_counts(connection: duckdb.DuckDBPyConnection, candidate: Candidate, bounds: GateBounds) -> None:
    """Add the tables `stage_counts`, `stage_rejections`, `leak_table` and `passing_verdicts`."""
    stages = candidate.stage_counts
    rejected = [(str(s["stage"]), str(r), int(n)) for s in stages for r, n in s["rejected"].items()]
    counts = {
        "stage": pa.array([str(s["stage"]) for s in stages], pa.string()),
        "items_in": pa.array([int(s["items_in"]) for s in stages], pa.int64()),
        "items_out": pa.array([int(s["items_out"]) for s in stages], pa.int64()),
        "rejected": pa.array([sum(s["rejected"].values()) for s in stages], pa.int64()),
    }
    connection.register("stage_counts", pa.table(counts))
    columns = zip(*rejected, strict=True) if rejected else ((), (), ())
    types = (pa.string(), pa.string(), pa.int64())
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, types, strict=True)]
    connection.register("stage_rejections", pa.table(arrays, names=["stage", "reason", "n"]))
    leaks = {
        name: pa.array([row[name] for row in candidate.leak_table], kind)
        for name, kind in (
            ("reader", pa.string()),
            ("cell", pa.string()),
            ("verdict", pa.string()),
            ("n", pa.int64()),
            ("accuracy", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
        )
    }
    connection.register("leak_table", pa.table(leaks))
    passing = PASSING + (UNDECIDED if bounds.undecided_cells == "allow" else ())
    connection.register("passing_verdicts", pa.table({"verdict": list(passing)}))


def register_letters(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the macro `named_letter(text)`: the words with which a text names an option's letter, or none."""
    pattern = LETTER.replace("'", "''")
    connection.execute(f"CREATE TEMP MACRO named_letter(said) AS trim(regexp_extract(said, '{pattern}'))")


def register_returned(connection: duckdb.DuckDBPyConnection, returned: Mapping[str, str]) -> None:
    """Add the table `returned`: patients of the candidate who withdrew, and the version that left them out."""
    columns = {"patient_id": list(returned), "version": list(returned.values())}
    connection.register("returned", pa.table({name: pa.array(rows, pa.string()) for name, rows in columns.items()}))


def register_earlier_splits(connection: duckdb.DuckDBPyConnection, earlier: Sequence[Release]) -> None:
    """Add the table `earlier_splits`: patient, split and version of every slide and report of earlier versions.

    Every other row belongs to the patient of a slide.

    Raises:
        StoreError: an earlier version lacks one of its files of slides or reports, and the store its object.
    """
    found = {
        (str(patient), str(entry["split"]), release.version)
        for release in earlier
        for table in ("slides", "reports")
        if table in release.tables
        for entry in release.tables[table]["files"]
        for patient in _patients(release, entry)
    }
    rows = [dict(zip(("patient_id", "split", "version"), row, strict=True)) for row in sorted(found)]
    kind = pa.schema([(name, pa.string()) for name in ("patient_id", "split", "version")])
    connection.register("earlier_splits", pa.Table.from_pylist(rows, kind))


def _patients(release: Release, entry: Mapping[str, Any]) -> list[str]:
    """Return the patients of a file; of a claim that is not carried out yet, the object alone is there."""
    for path in (f"{release.folder}/{entry['path']}", object_path(entry["sha256"])):
        try:
            with release.store.open(path) as stream:
                found: list[str] = pq.read_table(stream, columns=["patient_id"])["patient_id"].unique().to_pylist()
                return found
        except FileNotFoundError:
            continue
    remedy = f"restore it, or delete that version: slidesmith release delete --version {release.version}"
    raise StoreError(f"{release.name} lacks {entry['path']}, which says who stands in which split", remedy=remedy)
