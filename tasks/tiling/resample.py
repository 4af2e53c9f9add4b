"""Area averages: of 2 x 2 through OpenCV, of other whole ratios by integer sums, of any other with exact weights."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tasks.tiling.readers.protocol import WHITE, Pixels

_WEIGHT_BITS = 11  # both axes: 8 + 2 * 11 = 30 bits, inside a signed 32-bit integer
_ONE = 1 << _WEIGHT_BITS
_LANE_COUNT = 256  # pixels whose sum, with the half that is added for rounding, fits 16 bits


def source_span(start: int, length: int, ratio: float) -> tuple[int, int]:
    """Return the first source pixel and the number of source pixels that `length` target pixels from `start` cover."""
    first = math.floor(start * ratio + 1e-9)
    return first, math.ceil((start + length) * ratio - 1e-9) - first


def area_average(pixels: Pixels, start: tuple[int, int], size: tuple[int, int], ratio: tuple[float, float]) -> Pixels:
    """Return target pixels as the mean of the source pixels that they cover.

    Args:
        pixels: source window, shape (H, W, 4), which is what `source_span` names on both axes.
        start: first target pixel (x, y) in the target plane.
        size: number of target pixels (width, height).
        ratio: source pixels per target pixel (x, y), at least 1 but for rounding.

    Returns:
        Shape (height, width, 4): the exact mean, rounded, of whole ratios; less than one grey level from it of others,
        whose weights are rounded to 1/2048. All sums are of integers, so that they are the same on every machine.
    """
    if all(float(side).is_integer() for side in ratio):
        return _box_reduce(pixels, (int(ratio[0]), int(ratio[1])))
    height, width = pixels.shape[:2]
    down = _weights(start[1], size[1], ratio[1], height)
    across = _weights(start[0], size[0], ratio[0], width)
    rows = down @ pixels.reshape(height, width * 4).astype(np.int32)
    turned = np.ascontiguousarray(rows.reshape(size[1], width, 4).transpose(1, 0, 2)).reshape(width, size[1] * 4)
    summed = across @ turned
    mean = (summed + (1 << (2 * _WEIGHT_BITS - 1))) >> (2 * _WEIGHT_BITS)
    return np.ascontiguousarray(mean.astype(np.uint8).reshape(size[0], size[1], 4).transpose(1, 0, 2))


def _box_reduce(pixels: Pixels, factor: tuple[int, int]) -> Pixels:
    """Return (sum + count // 2) // count of the pixels of every block: rows are added first, then columns."""
    if factor == (1, 1):
        return pixels.copy()
    if factor == (2, 2):
        return _halved(pixels)
    (across, down), count = factor, factor[0] * factor[1]
    height, width = pixels.shape[0] // down, pixels.shape[1] // across
    rows = np.ascontiguousarray(pixels).reshape(height, down, -1)
    added = rows.sum(axis=1, dtype=np.uint16 if count <= _LANE_COUNT else np.uint32)
    if count <= _LANE_COUNT:  # the four channels are added at once, as four lanes of one integer of 64 bits
        lanes = added.view(np.uint64)
        total = lanes[:, ::across].copy()
        for column in range(1, across):
            total += lanes[:, column::across]
        sums: Any = total.view(np.uint16)
    else:
        sums = added.reshape(height, width, across, 4).sum(axis=2, dtype=np.uint32)
    means: Pixels = ((sums + count // 2) // count).astype(np.uint8)
    return means.reshape(height, width, 4)


def _halved(pixels: Pixels) -> Pixels:
    """Return (a + b + c + d + 2) // 4 of every four pixels, twice as fast as by sums."""
    import cv2

    size = pixels.shape[1] // 2, pixels.shape[0] // 2
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


@functools.lru_cache(maxsize=512)
def _weights(start: int, length: int, ratio: float, source: int) -> Any:
    """Return the (length, source) sparse matrix of shares, in 1/2048; every row sums to 2048 exactly."""
    from scipy import sparse

    first, _ = source_span(start, length, ratio)
    matrix = sparse.lil_matrix((length, source), dtype=np.int32)
    for target in range(length):
        low, high = (start + target) * ratio - first, (start + target + 1) * ratio - first
        left, right = max(0, math.floor(low)), min(source, math.ceil(high))
        edges = np.clip(np.arange(left, right + 1), low, high)
        shares = np.diff(edges)
        total = np.rint(np.cumsum(shares) / shares.sum() * _ONE).astype(np.int32)
        matrix[target, left:right] = np.diff(total, prepend=0)
    return matrix.tocsr()


def white(width: int, height: int) -> Pixels:
    """Return a white image, shape (height, width, 4)."""
    return np.full((height, width, 4), WHITE, dtype=np.uint8)
