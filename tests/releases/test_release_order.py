"""The order of rows and files changes nothing but what it is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.arrow import to_table
from schemas.records import TABLES
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.store import write_parquet

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shuffled(rows: Rows, folder: Path, *, keep: tuple[str, ...] = ()) -> dict[str, list[Path]]:
    """Write every table as one file in another order, but those to keep."""
    folder.mkdir()
    tables: dict[str, list[Path]] = {}
    for name, records in rows.items():
        path = folder / f"{name}.parquet"
        ordered = records if name in keep else random.Random(3).sample(records, len(records))
        write_parquet(to_table(ordered, TABLES[name]), path)
        tables[name] = [path]
    return tables


def test_order_of_rows_and_files_change_nothing_but_what_they_are(
    rows: Rows, candidate: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    release = publish(candidate, config, tmp_path / "a")
    tables = shuffled(rows, tmp_path / "other", keep=("tiles",))
    again = publish(replace(candidate, tables=tables), config, tmp_path / "b")
    assert everything(again.path) == everything(release.path)


def test_images_stay_in_the_order_of_tiling_and_the_fingerprint_does_not_depend_on_it(
    rows: Rows, candidate: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    release = publish(candidate, config, tmp_path / "a")
    written = pq.read_table(release.path / "data" / "tiles", columns=["slide_id", "tile_id"]).to_pylist()
    tiled: dict[str, list[str]] = {}
    for tile in rows["tiles"]:
        tiled.setdefault(tile.slide_id, []).append(tile.tile_id)
    for slide, tiles in tiled.items():
        assert [row["tile_id"] for row in written if row["slide_id"] == slide] == tiles
    again = publish(replace(candidate, tables=shuffled(rows, tmp_path / "other")), config, tmp_path / "b")
    assert again.fingerprint == release.fingerprint
