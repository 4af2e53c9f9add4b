"""Stain normalisation: Reinhard's colour transfer and Macenko's stain separation, fitted once per slide.

Both bring a slide to one reference appearance. They are off by default: a model can learn stain variation, and a
changed image is no longer what the scanner saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from schemas.errors import SlideReadError
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.fields import PlannedTile
from tasks.tiling.maker import TileMaker
from tasks.tiling.readers.protocol import Pixels, SlideReader

Array = NDArray[np.float64]

_TABLE = 33  # entries per channel: errs by a third of a grey level on the mean, by more than 1.2 in one of 100 pixels
_FIT_TILES = 12  # finest tiles looked at per slide, evenly spaced over the fields
_FIT_STEP = 4  # every fourth pixel in both directions
_GLASS_DENSITY = 0.15  # optical density (beta) below which a pixel is glass; Macenko 2009, section 2
_ANGLE_PERCENT = 1.0  # robust extremes of the angle (alpha); Macenko 2009, section 2
# Reference stains and their 99th percentile of concentration, as published with Macenko's method and widely used.
_REFERENCE_STAINS = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]])
_REFERENCE_CONCENTRATION = np.array([1.9705, 1.0308])
# Mean and deviation of an H&E reference in CIE L*a*b*.
_REFERENCE_LAB = np.array([[66.0, 26.0, -16.0], [16.0, 10.0, 8.0]])


def fit_normaliser(
    method: Literal["macenko", "reinhard"], tiles: Sequence[PlannedTile], maker: TileMaker, reader: SlideReader
) -> Callable[[Pixels], Pixels]:
    """Return the function that normalises the slide's tiles, fitted on up to twelve of its finest tiles.

    Raises:
        RefusedSlideError: no pixels to fit on.
    """
    chosen = [tiles[index] for index in np.unique(np.linspace(0, len(tiles) - 1, _FIT_TILES).round().astype(int))]
    samples = []
    for tile in chosen if tiles else []:
        try:
            samples.append(maker.pixels(tile)[::_FIT_STEP, ::_FIT_STEP, :3].reshape(-1, 3).copy())
        except SlideReadError:
            reader.reopen()  # the sweep comes by again and counts it
    colours = np.concatenate(samples) if samples else np.empty((0, 3), dtype=np.uint8)
    stained = colours[(optical_density(colours) > _GLASS_DENSITY).all(axis=1)]
    if len(stained) < 100:
        raise RefusedSlideError("holds too few stained pixels to fit the normalisation", reason="no_tissue")
    return macenko(stained) if method == "macenko" else reinhard(stained)


def optical_density(colours: NDArray[np.uint8] | Array) -> Array:
    """Return the optical density of RGB pixels, shape (..., 3), 0 for white."""
    return -np.log((colours.astype(np.float64) + 1) / 256)


def macenko_stains(stained: NDArray[np.uint8]) -> Array:
    """Return the stain matrix (3 channels x haematoxylin, eosin; unit columns) of stained pixels, shape (N, 3).

    References:
        Macenko et al., "A method for normalizing histology slides for quantitative analysis", ISBI 2009, section 2.
    """
    density = optical_density(stained)
    _, vectors = np.linalg.eigh(np.cov(density, rowvar=False))
    plane = vectors[:, [2, 1]]
    plane *= np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    projected = density @ plane
    angles = np.arctan2(projected[:, 1], projected[:, 0])
    extremes = np.percentile(angles, [_ANGLE_PERCENT, 100 - _ANGLE_PERCENT])
    stains: Array = plane @ np.array([np.cos(extremes), np.sin(extremes)])
    stains *= np.where(stains.sum(axis=0) < 0, -1.0, 1.0)
    # Haematoxylin absorbs more red than eosin does.
    return stains if stains[0, 0] > stains[0, 1] else np.ascontiguousarray(stains[:, ::-1])


def macenko(stained: NDArray[np.uint8]) -> Callable[[Pixels], Pixels]:
    """Return a function that re-stains pixels with the reference stains, from stained pixels of the slide, (N, 3)."""
    unmix = np.linalg.pinv(macenko_stains(stained))
    strongest = np.percentile(optical_density(stained) @ unmix.T, 99, axis=0)
    mix = _REFERENCE_STAINS * (_REFERENCE_CONCENTRATION / np.maximum(strongest, 1e-6))
    return _on_colours(lambda colours: 256 * np.exp(-(optical_density(colours) @ unmix.T).clip(0) @ mix.T) - 1)


def reinhard(stained: NDArray[np.uint8]) -> Callable[[Pixels], Pixels]:
    """Return a function that gives pixels the reference's mean and deviation in CIE L*a*b*, from (N, 3) stained pixels.

    Glass is left as it is, so that the background stays white.

    References:
        Reinhard et al., "Color transfer between images", IEEE CG&A 2001, equations 10 and 11 (there in l-alpha-beta).
    """
    from skimage.color import lab2rgb, rgb2lab

    lab = rgb2lab(stained)
    mean, deviation = lab.mean(axis=0), np.maximum(lab.std(axis=0), 1e-6)

    def change(colours: Array) -> Array:
        moved = (rgb2lab(colours / 255) - mean) / deviation * _REFERENCE_LAB[1] + _REFERENCE_LAB[0]
        density = optical_density(colours).mean(axis=-1, keepdims=True)
        share = np.clip(density / _GLASS_DENSITY, 0.0, 1.0)  # fade out towards glass: no hard edge
        changed: Array = share * lab2rgb(moved) * 255 + (1 - share) * colours
        return changed

    return _on_colours(change)


def _on_colours(change: Callable[[Array], Array]) -> Callable[[Pixels], Pixels]:
    """Return a function on pixels that looks colours up in a table of 65 x 65 x 65, with linear interpolation.

    The change of a colour does not depend on its neighbours, so the table is made once per slide; looking up is some
    fifty times faster than computing.
    """
    levels = np.linspace(0.0, 255.0, _TABLE)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    colours = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    values = np.clip(change(colours) / 255, 0.0, 1.0).astype(np.float32)
    table = ImageFilter.Color3DLUT(_TABLE, values.ravel(), channels=3)

    def normalise(pixels: Pixels) -> Pixels:
        size = pixels.shape[1], pixels.shape[0]
        image = Image.frombuffer("RGBA", size, np.ascontiguousarray(pixels), "raw", "RGBA", 0, 1)
        return np.asarray(image.filter(table))

    return normalise
