"""What the README claims of releases: time and memory of publishing, shared files, races, kills, flipped bytes.

Run `python benchmarks/releases.py [--quick] [--json FILE]`. `--quick` publishes 5,000 rows instead of 100,000 and kills
at every ninth step instead of at every one. The gate's time is told apart from that of writing: it decodes every image.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from benchmarks._claims import Claim, claim, keep, tell
from schemas.arrow import schema_of, to_table
from schemas.ids import content_id
from schemas.records import Field, Slide, Tile
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.database import open_database
from tasks.releases.edition import Edition
from tasks.releases.facts import gather_facts
from tasks.releases.gate import GateReport, run_gate
from tasks.releases.read import Release
from tasks.releases.stores import open_store
from tasks.releases.verify import verify
from tasks.scratch import settle
from tasks.store import ROW_GROUP, write_parquet

ROOT = Path(__file__).resolve().parents[1]
DRIVER = ROOT / "tests" / "releases" / "release_driver.py"
SIDE, IMAGE_BYTES, TILES_PER_SLIDE = 256, 20_000, 1000


def images(count: int, seed: int) -> Iterator[bytes]:
    """Yield JPEGs that look different from one another, padded to 20 KB with a comment as cameras do."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        coarse = np.kron(rng.uniform(40, 240, (16, 16, 3)), np.ones((SIDE // 16, SIDE // 16, 1)))
        image = simplejpeg.encode_jpeg(np.asarray(coarse, np.uint8), quality=80)
        comment = rng.bytes(IMAGE_BYTES - len(image) - 4)
        yield image[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + image[2:]


def slide_shard(folder: Path, number: int, tiles: int, seed: int) -> dict[str, Path]:
    """Write the shard of one slide: its row, its fields and its tiles."""
    patient, slide = f"P{number:04d}", content_id("slide", number)
    rows: dict[str, list[Any]] = {"slides": [], "fields": [], "tiles": []}
    name = f"{number}.svs"
    rows["slides"].append(Slide(slide, patient, name, name, f"{number:064x}", "aperio", 90_000, 90_000, 0.5, 0.5))
    for at, image in enumerate(images(tiles, seed)):
        field, tile = content_id("field", slide, at), content_id("tile", slide, at)
        rows["fields"].append(Field(field, slide, patient, at, at, high_tile_id=tile))
        size = (at, at, SIDE, SIDE, SIDE, SIDE)
        rows["tiles"].append(Tile(tile, slide, field, "high", 0.5, *size, 1.0, 1.0, 99.0, 0.0, 0.0, "native", image))
    paths = {}
    for table, record in (("slides", Slide), ("fields", Field), ("tiles", Tile)):
        paths[table] = folder / f"{number}-{table}.parquet"
        write_parquet(to_table(rows[table], record), paths[table])
    return paths


def large_candidate(folder: Path, rows: int) -> Candidate:
    """Return a candidate of so many tiles, one slide and one patient to every thousand."""
    folder.mkdir()
    shards = [slide_shard(folder, n, TILES_PER_SLIDE, seed=n) for n in range(rows // TILES_PER_SLIDE)]
    splits = {f"P{n:04d}": {0: "test", 1: "val"}.get(n % 5, "train") for n in range(len(shards))}
    tables = {table: [shard[table] for shard in shards] for table in ("slides", "fields", "tiles")}
    return Candidate(tables, splits, [], [], None, {}, {}, "benchmark", [])


def plain_write(paths: list[Path], place: Path) -> tuple[float, float]:
    """Copy the same rows with pyarrow alone, group by group; return seconds, and seconds until they are on the disk."""
    started = time.monotonic()
    compression = {name: "NONE" if name == "image" else "ZSTD" for name in schema_of(Tile).names}
    with pq.ParquetWriter(place, schema_of(Tile), compression=compression) as writer:
        for path in paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROW_GROUP):
                    writer.write_table(pa.Table.from_batches([batch]), row_group_size=ROW_GROUP)
    written = time.monotonic() - started
    settle(place)
    return written, time.monotonic() - started


def write_version(candidate: Candidate, store: Path, version: str, report: GateReport) -> tuple[float, Release]:
    """Write a version that passed the gate; return seconds and the release."""
    started = time.monotonic()
    config = ReleaseConfig(dataset="benchmark", version=version)
    edition = Edition(candidate, config, open_store(store), None)
    with tempfile.TemporaryDirectory() as spill, open_database(candidate, Path(spill)) as connection:
        release = edition.appear(edition.write_tables(connection), gather_facts(connection), report)
    if release is None:
        raise SystemExit("another publisher was first")
    return time.monotonic() - started, release


def object_bytes(store: Path) -> int:
    """Return the bytes of all objects of a store."""
    return sum(path.stat().st_size for path in (store / "objects").iterdir())


def publishing(folder: Path, rows: int) -> list[Claim]:
    """Measure the gate, writing against a plain write, memory, and the next version with 1% changed."""
    candidate = large_candidate(folder / "shards", rows)
    tiles = list(candidate.tables["tiles"])
    started = time.monotonic()
    report = run_gate(candidate)
    gate_s = time.monotonic() - started
    if not report.passed:
        raise SystemExit(f"the gate refuses the benchmark: {report.failures[0].detail}")
    plain, ours = [], []
    store = folder / "store"
    for _ in range(3):
        plain.append(plain_write(tiles, folder / "plain.parquet"))
        shutil.rmtree(store, ignore_errors=True)
        seconds, release = write_version(candidate, store, "1.0.0", report)
        ours.append(seconds)
    plain_s, disk_s = (statistics.median(column) for column in zip(*plain, strict=True))
    write_s = statistics.median(ours)
    before = object_bytes(store)
    changed = folder / "changed"
    changed.mkdir()
    count = max(1, rows // TILES_PER_SLIDE // 100)
    share = count * TILES_PER_SLIDE / rows
    fresh = [slide_shard(changed, n, TILES_PER_SLIDE, seed=10_000 + n)["tiles"] for n in range(count)]
    later = replace(candidate, tables={**candidate.tables, "tiles": [*fresh, *tiles[count:]]})
    write_version(later, store, "1.0.1", report)
    grown = (object_bytes(store) - before) / before
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    bounded = share <= 0.01  # a version of few files says nothing of what a small change costs
    found = flipped(release, 50)
    return [
        claim(f"gate over {rows:,} images", gate_s, "s"),
        claim(
            f"publish {rows:,} rows x 20 KB / plain pyarrow write",
            write_s / plain_s,
            "x",
            "<= 1.3",
            write_s <= 1.3 * plain_s,
        ),
        claim("the same / plain write until it is on the disk", write_s / disk_s, "x"),
        claim("memory while publishing, with the gate", gib, "GiB", "<= 1", gib <= 1),
        claim(
            f"bytes written by a version with {share:.0%} changed",
            grown,
            "share",
            "<= 0.05" if bounded else "-",
            not bounded or grown <= 0.05,
        ),
        claim("flipped bytes found, of 50", found, "bytes", "50", found == 50),
    ]


def flipped(release: Release, times: int) -> int:
    """Flip single bytes of a release, one at a time; return how many are found."""
    rng = np.random.default_rng(0)
    names = [entry["path"] for entry in release.entries()] + ["manifest.json"]
    found = 0
    for _ in range(times):
        path = release.path / names[rng.integers(len(names))]
        at = int(rng.integers(path.stat().st_size))
        for last in (False, True):
            with path.open("r+b") as stream:
                stream.seek(at)
                byte = stream.read(1)
                stream.seek(at)
                stream.write(bytes([byte[0] ^ 1]))
            if not last:
                found += any(
                    problem.startswith(path.relative_to(release.path).as_posix()) or "manifest" in problem
                    for problem in verify(release)
                )
    return found


def drive(task: str, store: Path, option: str) -> Any:
    """Run the tests' driver of killed and racing publishers on a small candidate."""
    with tempfile.TemporaryDirectory() as folder:
        shard = slide_shard(Path(folder), 0, 4, seed=0)
        lexicon = Path(folder) / "lexicon.parquet"
        lexicon.write_bytes(b"lexicon")
        candidate = Candidate({t: [p] for t, p in shard.items()}, {"P0000": "train"}, [], [], lexicon, {}, {}, "b", [])
        file = Path(folder) / "candidate.pickle"
        file.write_bytes(pickle.dumps(candidate))
        command = [sys.executable, str(DRIVER), task, str(file), str(store), option]
        return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)


def atomicity(folder: Path, stride: int) -> list[Claim]:
    """Let eight processes publish one version, and kill publishers step by step."""
    outcomes = drive("race", folder / "race", "different")
    won = sum(result == "published" for _, result, _ in outcomes)
    killed = [outcome for outcome in drive("kill", folder / "kill", str(stride)) if outcome["died"]]
    whole = [["1.0.0", []]]
    sound = sum(outcome["after"] in ([], whole) and outcome["rerun"] == whole for outcome in killed)
    return [
        claim("of 8 processes publishing one version, winners", won, "processes", "1", won == 1),
        claim(f"kills survived, of {len(killed)}", sound, "kills", str(len(killed)), sound == len(killed)),
    ]


def main() -> None:
    """Measure, print a table, and write the claims where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 rows, every ninth kill")
    parser.add_argument("--json", type=Path, help="file for the claims")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slidesmith-bench-") as name:
        folder = Path(name)
        claims = publishing(folder, 5_000 if arguments.quick else 100_000) + atomicity(
            folder, 9 if arguments.quick else 1
        )
    tell(claims)
    keep(claims, arguments.json)


if __name__ == "__main__":
    main()
