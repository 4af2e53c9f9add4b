"""A closer look at two images whose hashes agree: is it the same tissue, or only the same outline on white?

Hash and thumbnail see the coarse distribution of light, which the edge of the tissue and the white beyond it dominate.
Here only what is finer than the local mean counts, and only where there is tissue.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

SIDE = 128  # samples per side of the images compared
WINDOW = 9  # samples of the local mean that is taken away
REACH = 3  # samples that one image may be shifted against the other
WHITE = 0.9  # share of the brightest (99th percentile) above which a sample shows no tissue
SHARED = 0.1  # share of samples that must show tissue in both images
HOPELESS = 0.25  # half a sample of shift leaves copies at 0.34 and more, other tissue reaches 0.21 (demo, 1,300 fields)
KEPT_GROUPS = 16  # row groups of images in memory
KEPT_IMAGES = 512  # of 64 KiB each


class ImageReader:
    """Images by their place in the order of the files; a few row groups stay in memory."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._groups: list[tuple[Path, int]] = []
        starts = [0]
        for path in paths:
            metadata = pq.read_metadata(path)
            for group in range(metadata.num_row_groups):
                self._groups.append((path, group))
                starts.append(starts[-1] + metadata.row_group(group).num_rows)
        self._starts = np.array(starts)
        self._kept: OrderedDict[int, list[bytes]] = OrderedDict()
        self._grey = functools.lru_cache(maxsize=KEPT_IMAGES)(self._read_grey)

    def grey(self, at: int) -> np.ndarray:
        """Return an image in grey at twice the resolution that is compared: (256, 256), float32."""
        return self._grey(at).astype(np.float32)

    def _read_grey(self, at: int) -> np.ndarray:
        import simplejpeg

        pixels = np.asarray(simplejpeg.decode_jpeg(self._bytes(at), colorspace="GRAY"))[:, :, 0]
        rows, columns = (_sampling(size) for size in pixels.shape)
        return np.asarray(pixels[rows][:, columns])

    def _bytes(self, at: int) -> bytes:
        group = int(np.searchsorted(self._starts, at, "right")) - 1
        if group not in self._kept:
            path, number = self._groups[group]
            with pq.ParquetFile(path) as file:
                self._kept[group] = file.read_row_group(number, columns=["image"]).column(0).to_pylist()
            if len(self._kept) > KEPT_GROUPS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(group)
        return self._kept[group][at - int(self._starts[group])]


def _sampling(size: int) -> np.ndarray:
    return (np.arange(2 * SIDE) * size // (2 * SIDE)).astype(np.int64)


def detail_likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Return how well the fine structure of two images agrees, at the best small shift.

    Args:
        first: grey image, (256, 256).
        second: the same, in the orientation in which it is compared.

    Returns:
        Largest normalised cross-correlation of the details over tissue, -1 to 1; 0 where too little tissue is shared.

    References:
        Padfield 2012, "Masked object registration in the Fourier domain", eq. 10 (for details of zero local mean, the
        terms of the overlap's own mean are left out).
    """
    still = _spectra(first)
    best = _correlation(still, _spectra(second))
    if best < HOPELESS:
        return best
    halves = ((0, 1), (1, 0), (1, 1))  # half a sample, which would blur the details of the one against the other
    return max(best, *(_correlation(still, _spectra(np.roll(second, half, (0, 1)))) for half in halves))


@dataclass(frozen=True)
class _Spectra:
    """Fourier transforms of details, of their squares, and of where there is tissue."""

    detail: np.ndarray
    square: np.ndarray
    tissue: np.ndarray


def _spectra(pixels: np.ndarray) -> _Spectra:
    samples = pixels.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    tissue = (samples < WHITE * np.percentile(samples, 99)).astype(np.float32)
    mean = _window_sums(samples * tissue) / np.maximum(_window_sums(tissue), 1e-6)
    detail = (samples - mean) * tissue
    return _Spectra(np.fft.rfft2(detail), np.fft.rfft2(detail * detail), np.fft.rfft2(tissue))


def _window_sums(values: np.ndarray) -> np.ndarray:
    """Return the sum over the window around every sample; nothing lies beyond the edge."""
    before, after = WINDOW // 2 + 1, WINDOW // 2
    for axis in (0, 1):
        sums = np.cumsum(np.pad(values, [(before, after) if axis == at else (0, 0) for at in (0, 1)]), axis, np.float64)
        values = np.take(sums, range(WINDOW, SIDE + WINDOW), axis) - np.take(sums, range(SIDE), axis)
    return values


def _correlation(first: _Spectra, second: _Spectra) -> float:
    shared = _crossed(first.tissue, second.tissue)
    spread = _crossed(first.square, second.tissue) * _crossed(first.tissue, second.square)
    likeness = _crossed(first.detail, second.detail) / np.sqrt(np.maximum(spread, 1e-3))
    return float(np.where(shared < SHARED * SIDE * SIDE, 0.0, likeness).max())


def _crossed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    near = np.arange(-REACH, REACH + 1)
    return np.asarray(np.fft.irfft2(a * np.conj(b), s=(SIDE, SIDE))[np.ix_(near, near)])


def turned(picture: np.ndarray, turn: int) -> np.ndarray:
    """Return a picture in the orientation that column `turn` of the hashes stands for."""
    picture = picture.T if turn >= 4 else picture
    picture = picture[::-1] if turn & 2 else picture
    return picture[:, ::-1] if turn & 1 else picture
