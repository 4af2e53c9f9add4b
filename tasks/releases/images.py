"""Every image of a candidate decoded once: does it open, what are its bytes, what does it look like."""

from __future__ import annotations

import functools
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store import ROW_GROUP

SIDE = 32  # pixels of the grey image that the hash is taken from (Zauner 2010, "Implementation and Benchmarking of
# Perceptual Image Hash Functions", section 3.2.1)
LOW = 8  # lowest frequencies kept per axis: 64 bits
THUMBNAIL = 16  # pixels per side of what is kept to look closer


@dataclass(frozen=True)
class Images:
    """What was seen of n images, in the order of the files.

    Shapes:
        hashes: (n, 8) uint64; column 0 is the image as it is, the others its rotations and reflections.
        thumbnails: (n, 16, 16) uint8, grey.
    """

    tile_ids: list[str]
    sha256: list[str]
    problems: list[str]
    hashes: np.ndarray
    thumbnails: np.ndarray


def inspect_images(paths: Sequence[Path], workers: int = 2) -> Images:
    """Decode every image of the tile files; memory holds a few row groups.

    The header is compared with the recorded size, and the whole stream is decoded (in grey at a reduced scale, which
    reads every coefficient; libjpeg's warnings count as errors).

    Determinism: the result does not depend on `workers`.
    """
    seen = list(_in_order(_batches(paths), workers))
    return Images(
        tile_ids=[tile for part in seen for tile in part.tile_ids],
        sha256=[digest for part in seen for digest in part.sha256],
        problems=[problem for part in seen for problem in part.problems],
        hashes=np.concatenate([part.hashes for part in seen]) if seen else np.zeros((0, 8), np.uint64),
        thumbnails=np.concatenate([part.thumbnails for part in seen])
        if seen
        else np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8),
    )


def _batches(paths: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(ROW_GROUP, columns=["tile_id", "width_px", "height_px", "image"])


def _in_order(batches: Iterable[pa.RecordBatch], workers: int) -> Iterator[Images]:
    waiting: deque[Future[Images]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for batch in batches:
            waiting.append(pool.submit(_inspect, batch))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _inspect(batch: pa.RecordBatch) -> Images:
    grey = np.zeros((batch.num_rows, SIDE, SIDE), np.float32)
    digests, problems = [], []
    rows = zip(*(batch.column(name).to_pylist() for name in ("image", "width_px", "height_px")), strict=True)
    for at, (image, width, height) in enumerate(rows):
        digests.append(hashlib.sha256(image).hexdigest())
        problem, pixels = _decode(image, width, height)
        problems.append(problem)
        if pixels is not None:
            grey[at] = _mean_matrix(pixels.shape[0]) @ pixels @ _mean_matrix(pixels.shape[1]).T
    half = SIDE // THUMBNAIL
    small = grey.reshape(-1, THUMBNAIL, half, THUMBNAIL, half).mean(axis=(2, 4))
    return Images(
        batch.column("tile_id").to_pylist(), digests, problems, perceptual_hashes(grey), np.rint(small).astype(np.uint8)
    )


def _decode(image: bytes, width: int, height: int) -> tuple[str, np.ndarray | None]:
    import simplejpeg

    try:
        found_height, found_width, _, _ = simplejpeg.decode_jpeg_header(image)
        if (found_width, found_height) != (width, height):
            return f"is {found_width} x {found_height} px, recorded as {width} x {height}", None
        pixels = simplejpeg.decode_jpeg(image, colorspace="GRAY", min_height=SIDE, min_width=SIDE)
    except ValueError as error:
        return f"cannot be decoded: {str(error).strip() or 'not a JPEG'}", None
    return "", pixels[:, :, 0].astype(np.float32)


@functools.lru_cache(maxsize=256)
def _mean_matrix(size: int) -> np.ndarray:
    """Return the (32, size) matrix that averages `size` samples over 32 equal intervals."""
    edges = np.linspace(0, size, SIDE + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    at = np.arange(size)
    shared = np.clip(np.minimum(ends, at + 1) - np.maximum(starts, at), 0, None)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True), np.float32)


@functools.cache
def _cosines() -> np.ndarray:
    frequency, at = np.arange(LOW)[:, None], np.arange(SIDE)[None, :]
    return np.asarray(np.cos(np.pi * frequency * (2 * at + 1) / (2 * SIDE)), np.float32)


def perceptual_hashes(grey: np.ndarray) -> np.ndarray:
    """Return the DCT hash of grey images in all eight orientations.

    A reflection flips the sign of odd frequencies and a transposition swaps the axes, so that the eight hashes come
    from one transform.

    Args:
        grey: (n, 32, 32).

    Returns:
        (n, 8) uint64. Bit i of a hash says whether coefficient i exceeds the median of the 64.

    References:
        Zauner 2010, section 3.2.1; the constant coefficient is kept, as in the `imagehash` package.
    """
    low = np.einsum("ui,nij,vj->nuv", _cosines(), grey, _cosines(), optimize=True)
    sign = np.where(np.arange(LOW) % 2, -1.0, 1.0).astype(np.float32)
    half, hashes = LOW * LOW // 2, []
    for turned in (low, low.transpose(0, 2, 1)):
        for rows in (1.0, sign[:, None]):
            for columns in (1.0, sign[None, :]):
                flat = (turned * rows * columns).reshape(-1, LOW * LOW)
                middle = np.partition(flat, (half - 1, half), axis=1)[:, half - 1 : half + 1].mean(axis=1)
                bits = flat > middle[:, None]
                hashes.append(np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64))
    return np.stack(hashes, axis=1)
