"""Is the loader fed by the decoder alone? Images per CPU second against decoding only and against HF streaming.

Usage: python benchmarks/loader.py [--quick] [--json FILE] [--fields N]
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from benchmarks._claims import Claim, claim, keep, tell

ROOT = Path(__file__).resolve().parent.parent
SIDE_PX = 256
BATCH = 32


def draw_tiles(count: int) -> Iterator[bytes]:
    """Yield JPEG tiles with the spectrum of tissue: smooth noise at several sizes, about 20 kB each."""
    draws = np.random.default_rng(0)
    octaves = [draws.normal(0, 1, (side, side, 3)) for side in (512, 256, 128, 64)]
    smooth = np.sum([np.kron(field, np.ones((2048 // len(field), 2048 // len(field), 1))) for field in octaves], axis=0)
    canvas = (smooth * 14 + (190, 140, 180)).clip(0, 255).astype(np.uint8)
    for x, y in draws.integers(0, 2048 - SIDE_PX, size=(count, 2)):
        yield simplejpeg.encode_jpeg(np.ascontiguousarray(canvas[y : y + SIDE_PX, x : x + SIDE_PX]), quality=80)


def write_release(folder: Path, fields: int) -> Path:
    """Write a release that holds nothing but tiles, as `release publish` lays them out."""
    scales = ("low", "mid", "high")
    ids = [f"field_{number:07d}" for number in range(fields) for _ in scales]
    images = list(draw_tiles(3 * fields))
    table = pa.table({"field_id": ids, "scale": list(scales) * fields, "image": pa.array(images, pa.binary())})
    place = folder / "data" / "tiles"
    place.mkdir(parents=True)
    files = 4
    for number in range(files):
        start, stop = (border * len(ids) // files for border in (number, number + 1))
        path = place / f"train-{number:05d}-of-{files:05d}.parquet"
        compression = {"image": "NONE", "field_id": "ZSTD", "scale": "ZSTD"}
        pq.write_table(table.slice(start, stop - start), path, row_group_size=256, compression=compression)
    (folder / "manifest.json").write_text('{"fingerprint": "loader-benchmark"}')
    return folder


def decode_only(release: Path) -> int:
    """Decode every tile out of memory: the ceiling."""
    count = 0
    for path in sorted((release / "data" / "tiles").glob("*.parquet")):
        for image in pq.read_table(path, columns=["image"]).column(0).to_pylist():
            simplejpeg.decode_jpeg(image, "RGB")
            count += 1
    return count


def our_loader(release: Path) -> int:
    """Stream one shuffled epoch of multi-scale fields, decoded to tensors of full size."""
    from training.batch import Wanted
    from training.loader import FieldStream, stream_batches
    from training.release import Release

    stream = FieldStream(Release(release), "train", batch=BATCH, wanted=Wanted(SIDE_PX), seed=1)
    batches = itertools.islice(stream_batches(stream, 0), stream.batches_per_epoch(0))
    return sum(len(batch.field_ids) * 3 for batch in batches)


def hf_streaming(release: Path) -> int:
    """Stream one shuffled epoch through `datasets`, its own image decoding, batched to tensors of full size."""
    import torch

    datasets: Any = importlib.import_module("datasets")
    datasets.disable_progress_bars()
    files = sorted(str(path) for path in (release / "data" / "tiles").glob("*.parquet"))
    stream = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    stream = stream.cast_column("image", datasets.Image()).shuffle(seed=1, buffer_size=2048).batch(3 * BATCH)
    count = 0
    for batch in stream:
        torch.from_numpy(np.stack([np.asarray(image) for image in batch["image"]]))
        count += len(batch["image"])
    return count


MEASURED: dict[str, Callable[[Path], int]] = {
    "decode only": decode_only,
    "slidesmith": our_loader,
    "HF streaming": hf_streaming,
}
IMPORTS = {"decode only": (), "slidesmith": ("training.loader",), "HF streaming": ("datasets", "torch", "PIL.Image")}


def measure(name: str, release: Path) -> dict[str, Any]:
    """Run one of the measured in this process; returns its throughput, without imports, and peak memory."""
    for module in IMPORTS[name]:
        importlib.import_module(module)
    wall, cpu = time.perf_counter(), time.process_time()
    images = MEASURED[name](release)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"images": images, "per_cpu_s": images / cpu, "per_wall_s": images / wall, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Return the peak resident memory of this process (VmHWM; ru_maxrss would count that of the parent too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure_apart(name: str, release: Path, runs: int) -> dict[str, Any]:
    """Return the best of several runs, each in a process of its own, so that memory is its own too."""
    rows = []
    for _ in range(runs):
        command = [sys.executable, "-m", "benchmarks.loader", "--measure", name, "--release", str(release)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return max(rows, key=lambda row: float(row["per_cpu_s"]))


def claims(rows: dict[str, dict[str, Any]]) -> list[Claim]:
    """Return what the measurements say about the goals."""
    ours, ceiling = rows["slidesmith"], rows["decode only"]
    share, peak = ours["per_cpu_s"] / ceiling["per_cpu_s"], ours["peak_mib"]
    return [
        claim("loader against decoding only", share, "ratio", ">= 0.85", share >= 0.85),
        _against_streaming(ours, rows.get("HF streaming")),
        claim("loader throughput", ours["per_cpu_s"], "images per CPU second"),
        claim("loader peak memory", peak, "MiB", "<= 800", peak <= 800),
    ]


def _against_streaming(ours: dict[str, Any], other: dict[str, Any] | None) -> Claim:
    name = "loader against HF streaming"
    if other is None:
        return claim(name, "not measured: datasets is not installed", "", ">= 1.5", False)
    ratio = ours["per_cpu_s"] / other["per_cpu_s"]
    return claim(name, ratio, "ratio", ">= 1.5", ratio >= 1.5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the claims here")
    parser.add_argument("--quick", action="store_true", help="fewer fields, one run each")
    parser.add_argument("--fields", type=int, default=4000)
    parser.add_argument("--measure", choices=MEASURED, help=argparse.SUPPRESS)
    parser.add_argument("--release", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.release)))
        return
    with tempfile.TemporaryDirectory() as folder:
        release = write_release(Path(folder) / "release", 1000 if options.quick else options.fields)
        names = list(MEASURED)
        if importlib.util.find_spec("datasets") is None:
            names.remove("HF streaming")
        rows = {name: measure_apart(name, release, 1 if options.quick else 3) for name in names}
    print(f"{'reader':<16}{'images':>8}{'per CPU s':>12}{'per wall s':>12}{'peak MiB':>10}")
    for name, row in rows.items():
        print(
            f"{name:<16}{row['images']:>8}{row['per_cpu_s']:>12.0f}{row['per_wall_s']:>12.0f}{row['peak_mib']:>10.0f}"
        )
    print()
    report = claims(rows)
    tell(report)
    keep(report, options.json)


if __name__ == "__main__":
    main()
