"""Sharpness and contrast of one tile."""

from __future__ import annotations

import math
from typing import Any

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
    import cv2

    grey = cv2.extractChannel(pixels, 1)
    laplacian = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)[1:-1, 1:-1]
    return _variance(laplacian), math.sqrt(_variance(grey))


def _variance(values: Any) -> float:
    import cv2

    # Both sums are of integers below 2**53; rounded to integers they are the same on every machine.
    total, squares = round(cv2.sumElems(values)[0]), round(cv2.norm(values, cv2.NORM_L2SQR))
    size = int(values.size)
    return max(0.0, (squares - total * total / size) / size)
