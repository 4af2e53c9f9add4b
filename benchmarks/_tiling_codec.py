"""What bounds tiling: the codec and the disk alone, and what decoding at half size would change."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from benchmarks._claims import Claim, claim
from benchmarks._tiling_contestants import QUALITY, TILE, Origins
from tasks.store import ROW_GROUP
from tasks.tiling.readers.choice import open_reader

_ROUNDS, _TILES = 5, 512
_FAR = 4  # grey levels


def codec_alone(
    path: Path, decoded: int, encoded: int, levels: tuple[int, ...] = (0,), *, least_px: int = 0
) -> Callable[[], int]:
    """Return what decodes so many stored tiles and encodes so many of some levels, and nothing else: a limit.

    With `least_px` the decoder leaves out what makes its image larger than so many pixels a side.
    """
    reader, _ = open_reader(str(path), "native")
    streams = [reader.native_jpeg(0, number % 32, 8 + number // 32) or b"" for number in range(256)]
    least = reader.geometry.levels[max(levels)]
    places = list(itertools.islice(itertools.product(range(least.rows), range(least.columns)), 16))
    samples = [reader.block(level, column, row) for row, column in places for level in levels]
    reader.close()
    small = {"min_width": least_px, "min_height": least_px, "min_factor": 2} if least_px else {}

    def run() -> int:
        for number in range(decoded):
            simplejpeg.decode_jpeg(streams[number % len(streams)], "RGBX", **small)
        for number in range(encoded):
            simplejpeg.encode_jpeg(samples[number % len(samples)], QUALITY, "RGBX", "420")
        return encoded

    return run


def copy_alone(path: Path, places: Origins) -> Callable[[], int]:
    """Return what reads stored tiles (column, row) and writes their bytes to Parquet, and nothing else: a limit."""
    schema = pa.schema([("image", pa.binary())])

    def run() -> int:
        reader, _ = open_reader(str(path), "native")
        with tempfile.TemporaryDirectory() as folder:
            out = pq.ParquetWriter(f"{folder}/t.parquet", schema, compression="NONE", use_dictionary=False)
            with out as writer:
                for start in range(0, len(places), ROW_GROUP):
                    images = [reader.native_jpeg(0, *place) for place in places[start : start + ROW_GROUP]]
                    writer.write_table(pa.table([images], schema=schema))
            reader.close()
        return len(places)

    return run


def codec_claims(path: Path) -> list[Claim]:
    """Return what decoding and encoding a tile cost, and how far decoding at half size is from the area's mean."""
    decoding, encoding = (_microseconds(codec_alone(path, *counts)) for counts in ((_TILES, 0), (0, _TILES)))
    mean, far = half_size_difference(path)
    return [
        claim("decoding a stored tile, alone", decoding, "us of CPU time"),
        claim("encoding a tile, alone", encoding, "us of CPU time"),
        claim("decoded at half size, off the mean of the area", mean, "grey levels, on average"),
        claim(f"decoded at half size, off by more than {_FAR}", far, "share of values"),
    ]


def _microseconds(run: Callable[[], int]) -> float:
    taken = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        run()
        taken.append((time.process_time() - started) / _TILES * 1e6)
    return statistics.median(taken)


def half_size_difference(path: Path) -> tuple[float, float]:
    """Return how far stored tiles decoded at half size are from the mean of 2 x 2 pixels: mean, and share beyond 4."""
    reader, _ = open_reader(str(path), "native")
    streams = [reader.native_jpeg(0, number % 32, 8) or b"" for number in range(32)]
    reader.close()
    apart = []
    for stream in streams:
        half = simplejpeg.decode_jpeg(stream, "RGB", min_width=TILE // 2, min_height=TILE // 2, min_factor=2)
        whole = simplejpeg.decode_jpeg(stream, "RGB").astype(np.float32)
        mean = whole.reshape(TILE // 2, 2, TILE // 2, 2, 3).mean(axis=(1, 3))
        apart.append(np.abs(half.astype(np.float32) - mean))
    every = np.stack(apart)
    return float(every.mean()), float((every > _FAR).mean())
