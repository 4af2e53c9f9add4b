"""Tissue, pen ink and folds on an overview of a slide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Colours = NDArray[np.uint8]
Plane = NDArray[np.float32]

# Saturation below which nothing is called tissue: glass and mounting medium of shared/public slides stay below 0.05.
_SATURATION_MIN = 0.06
_SMALLEST_TISSUE_UM2 = 20_000.0  # a circle of 160 um: smaller specks are debris
_LARGEST_HOLE_UM2 = 25_000.0  # lumina and fat stay tissue, larger holes are glass
_CLOSING_UM = 16.0


def hue_saturation_value(colours: Colours) -> tuple[Plane, Plane, Plane]:
    """Return hue (degrees, 0 to 360), saturation and value (0 to 1) of RGB pixels, each of shape (H, W)."""
    red, green, blue = (colours[..., index].astype(np.float32) / 255 for index in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    safe = np.where(spread > 0, spread, np.float32(1))
    hue = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    saturation = spread / np.where(value > 0, value, np.float32(1))
    return ((hue * 60) % 360).astype(np.float32), saturation.astype(np.float32), value.astype(np.float32)


def find_tissue(colours: Colours, *, exclude: Mask, mpp: float) -> Mask:
    """Return where tissue is: Otsu's threshold on saturation, then morphology.

    Args:
        colours: overview, RGB, shape (H, W, 3).
        exclude: pixels that cannot be tissue (pen ink, damage), shape (H, W); they do not enter the threshold.
        mpp: micrometres per overview pixel.

    Returns:
        Mask of shape (H, W); all False where nothing is more saturated than glass.

    References:
        Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    from scipy import ndimage
    from skimage import filters, morphology

    otsu: Any = filters.threshold_otsu  # scikit-image's own types are incomplete
    disk: Any = morphology.disk

    _, saturation, value = hue_saturation_value(colours)
    smooth = ndimage.gaussian_filter(saturation, sigma=1.0)
    usable = smooth[~exclude & (value > 0.12)]  # black glue and slide edges have arbitrary saturation
    if usable.size == 0 or float(usable.max()) < _SATURATION_MIN:
        return np.zeros(exclude.shape, dtype=np.bool_)
    # Cut at the floor where Otsu splits the glass's own noise (blank slide) or the tissue (slide without glass).
    threshold = float(otsu(usable)) if float(usable.min()) < float(usable.max()) else _SATURATION_MIN
    glass = float(np.mean(usable < _SATURATION_MIN))
    threshold = max(_SATURATION_MIN, min(threshold, 0.15) if glass > 0.01 else _SATURATION_MIN)
    mask = (smooth > threshold) & ~exclude & (value > 0.12)
    radius = max(1, round(_CLOSING_UM / mpp))
    mask = ndimage.binary_closing(np.pad(mask, radius, mode="edge"), disk(radius))[radius:-radius, radius:-radius]
    mask = morphology.remove_small_objects(mask, max_size=int(_SMALLEST_TISSUE_UM2 / mpp**2))
    mask = morphology.remove_small_holes(mask, max_size=int(_LARGEST_HOLE_UM2 / mpp**2))
    return np.asarray(mask & ~exclude, dtype=np.bool_)


def find_pen(colours: Colours) -> Mask:
    """Return where pen ink is: saturated green, blue or pure red, and black; shape (H, W).

    Haematoxylin and eosin lie between violet and pink (hue about 250 to 350 degrees). Ink is called what is saturated
    and outside, or, for red ink, far more saturated than eosin gets.
    """
    from scipy import ndimage

    hue, saturation, value = hue_saturation_value(colours)
    green = (hue > 75) & (hue < 190) & (saturation > 0.22) & (value > 0.1)
    blue = (hue >= 190) & (hue < 244) & (saturation > 0.45)
    red = ((hue > 345) | (hue < 14)) & (saturation > 0.75) & (value > 0.45)
    black = (value < 0.28) & (saturation < 0.3)
    ink = ndimage.binary_opening(green | blue | red | black, np.ones((3, 3), dtype=bool))
    return np.asarray(ndimage.binary_dilation(ink, iterations=2) if ink.any() else ink, dtype=np.bool_)


def find_folds(colours: Colours, tissue: Mask) -> Mask:
    """Return where tissue lies double: saturation minus value far above the slide's own tissue; shape (H, W).

    References:
        Palokangas et al., "Segmentation of folds in tissue section images", EMBC 2007 (difference of saturation and
        intensity); the cut is the median plus five median absolute deviations rather than a cluster, and at least 0.1
        above the median.
    """
    from scipy import ndimage

    if not tissue.any():
        return np.zeros(tissue.shape, dtype=np.bool_)
    _, saturation, value = hue_saturation_value(colours)
    difference = ndimage.gaussian_filter(saturation - value, sigma=1.0)
    inside = difference[tissue]
    middle = float(np.median(inside))
    spread = float(np.median(np.abs(inside - middle)))
    folds = tissue & (difference > middle + max(0.25, 5 * spread))
    return np.asarray(ndimage.binary_opening(folds, np.ones((3, 3), dtype=bool)), dtype=np.bool_)
