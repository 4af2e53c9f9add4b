"""Tissue, pen ink and folds on an overview of a slide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Colours = NDArray[np.uint8]
Plane = NDArray[np.float32]

# Saturation below which nothing is called tissue: glass and mounting medium of shared/public slides stay below 0.05.
_SATURATION_MIN = 0.06
_SATURATION_ENOUGH = 0.10  # above it all is tissue: with dark tissue on the slide, Otsu would cut off pale tissue
_SMALLEST_TISSUE_UM2 = 20_000.0  # a circle of 160 um: smaller specks are debris
_LARGEST_HOLE_UM2 = 25_000.0  # lumina and fat stay tissue, larger holes are glass
_CLOSING_UM = 16.0
_INK_SMOOTHING_PX = 3
_FOLD_LENGTH_UM = 200.0  # shorter ridges are walls of glands and vessels
_FOLD_WIDTH_UM = 170.0  # wider is a region of its own
_FOLD_SURROUNDINGS_UM = 800.0


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
    threshold = max(_SATURATION_MIN, min(threshold, _SATURATION_ENOUGH) if glass > 0.01 else _SATURATION_MIN)
    mask = (smooth > threshold) & ~exclude & (value > 0.12)
    radius = max(1, round(_CLOSING_UM / mpp))
    mask = ndimage.binary_closing(np.pad(mask, radius, mode="edge"), disk(radius))[radius:-radius, radius:-radius]
    mask = morphology.remove_small_objects(mask, max_size=int(_SMALLEST_TISSUE_UM2 / mpp**2))
    mask = morphology.remove_small_holes(mask, max_size=int(_LARGEST_HOLE_UM2 / mpp**2))
    return np.asarray(mask & ~exclude, dtype=np.bool_)


def find_pen(colours: Colours) -> Mask:
    """Return where pen ink is: saturated green, blue or pure red, and black; shape (H, W).

    Haematoxylin and eosin lie between violet and pink (hue about 250 to 350 degrees). Ink is called what is saturated
    and outside, or, for red ink, far more saturated than eosin gets; black ink is darker than dense nuclei and has less
    colour. Colours are smoothed first, because ink is streaky where it is thin.
    """
    from scipy import ndimage

    smooth = ndimage.uniform_filter(colours, size=(_INK_SMOOTHING_PX, _INK_SMOOTHING_PX, 1), mode="nearest")
    hue, saturation, value = hue_saturation_value(smooth)
    green = (hue > 75) & (hue < 190) & (saturation > 0.22) & (value > 0.1)
    blue = (hue >= 190) & (hue < 244) & (saturation > 0.45)
    red = ((hue > 345) | (hue < 14)) & (saturation > 0.75) & (value > 0.45)
    black = ((value < 0.28) & (saturation < 0.4)) | ((value < 0.42) & (saturation < 0.3))
    ink = ndimage.binary_opening(green | blue | red | black, np.ones((3, 3), dtype=bool))
    return np.asarray(ndimage.binary_dilation(ink, iterations=2) if ink.any() else ink, dtype=np.bool_)


def find_folds(colours: Colours, tissue: Mask, *, mpp: float) -> Mask:
    """Return where tissue lies double: long thin ridges of saturation minus value; shape (H, W).

    A ridge counts where it stands out from its surroundings by 2.5 standard deviations, or from all tissue of the
    slide, and is at least 200 um long. Folds across tissue that is as dark as they are are missed; gland walls and
    dense nuclei, whose difference is as large, are not called folds.

    Args:
        colours: overview, RGB, shape (H, W, 3).
        tissue: where tissue is, shape (H, W).
        mpp: micrometres per overview pixel.

    References:
        Palokangas et al., "Segmentation of folds in tissue section images", EMBC 2007: the difference of saturation
        and intensity. There it is clustered over the slide; here it is compared with its surroundings as well, since
        a slide holds tissue of any darkness.
    """
    from scipy import ndimage

    if not tissue.any():
        return np.zeros(tissue.shape, dtype=np.bool_)
    _, saturation, value = hue_saturation_value(colours)
    difference = ndimage.gaussian_filter(saturation - value, sigma=8.0 / mpp)
    inside = difference[tissue]
    middle, high = (float(level) for level in np.percentile(inside, (50, 98)))
    difference = np.where(tissue, difference, np.float32(middle))
    near = max(3, round(_FOLD_SURROUNDINGS_UM / mpp))
    share = tissue.astype(np.float32)
    weight = ndimage.uniform_filter(share, near) + 1e-3
    mean = ndimage.uniform_filter(difference * share, near) / weight
    square = ndimage.uniform_filter(difference**2 * share, near) / weight
    deviation = np.sqrt(np.maximum(square - mean**2, 0.03**2))
    ridge = difference - ndimage.grey_opening(difference, size=max(3, round(_FOLD_WIDTH_UM / mpp)))
    marked = ((difference > mean + 2.5 * deviation) & (ridge > 0.08)) | (difference > max(high + 0.06, middle + 0.2))
    marked = ndimage.binary_opening(tissue & marked, np.ones((2, 2), dtype=bool))
    parts, count = ndimage.label(ndimage.binary_dilation(marked))
    long_enough = np.zeros(count + 1, dtype=np.bool_)
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        length = math.hypot(rows.stop - rows.start, columns.stop - columns.start)
        long_enough[number] = length * mpp >= _FOLD_LENGTH_UM
    return np.asarray(ndimage.binary_dilation(long_enough[parts]) & tissue, dtype=np.bool_)
