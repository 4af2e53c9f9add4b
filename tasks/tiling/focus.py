"""Sharpness and contrast of one tile."""

from __future__ import annotations

import numpy as np

from tasks.tiling.readers.protocol import Pixels


def focus_and_contrast(pixels: Pixels) -> tuple[float, float]:
    """Return the variance of the Laplacian (squared grey levels) and the standard deviation (grey levels) of a tile.

    Grey is the green channel: haematoxylin and eosin both absorb there, so it has the most contrast of the three.

    Args:
        pixels: shape (H, W, 4), at least 3 x 3.

    References:
        Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000 (variance of the Laplacian, with
        the 4-neighbour kernel).
    """
    grey = pixels[..., 1].astype(np.int16)
    laplacian = grey[1:-1, :-2] + grey[1:-1, 2:]
    laplacian += grey[:-2, 1:-1]
    laplacian += grey[2:, 1:-1]
    laplacian -= grey[1:-1, 1:-1] << 2
    return _variance(laplacian), float(np.sqrt(_variance(grey)))


def _variance(values: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> float:
    # Sums of integers below 2**53 are exact in double precision, so their order and the machine do not matter.
    flat = values.astype(np.float64).ravel()
    mean = float(flat.sum()) / flat.size
    return max(0.0, float(np.dot(flat, flat)) / flat.size - mean * mean)
