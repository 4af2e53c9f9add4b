"""Where the darkest spots of a tile lie, and among what: a fixed descriptor, computed once and never trained.

A covariance tells how maps go together over a whole tile. That a few dozen lymphocytes lie in the stroma and not in the
epithelium beside it is lost in it. Here the spots are picked out, and of what surrounds each of them it is told how it
ranks among the surroundings of all tissue of the same tile. Ranks do not change with the strength of a stain.

References:
    Serra, Image Analysis and Mathematical Morphology, 1982: openings, closings and top hats.
    Ripley, Modelling Spatial Patterns, J. R. Stat. Soc. B 39, 1977: how many others lie within a distance of a point.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]
RANKS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Ranks among all tissue at which surroundings are cut into classes."""
DARKEST = (0.005, 0.02, 0.06)
"""Shares of the tissue that are spots because they hold most haematoxylin."""
STANDING_OUT = {5: 0.01, 9: 0.03}
"""By side of a square in px, shares of the tissue that are spots because they are darker than what is around them."""
LEAST_DYE = 25  # of both dyes together, 255 for an optical density of 1.6 each: below lies glass
STRIDE = 11  # every eleventh pixel of tissue stands for all of it
LEAST_TISSUE_PX = 50 * STRIDE


def surroundings(dyes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return how what surrounds the spots of a tile ranks among what surrounds all its tissue.

    Shapes:
        (2, H, W), amounts of haematoxylin and eosin, to (13 surroundings x 5 kinds of spots x 6,) float32: the shares
        of spots below five ranks, and how far the mean of the spots lies from that of the tissue, in deviations.
    """
    nuclear, plasma = (dye.astype(np.float32) for dye in dyes)
    tissue = _mean(nuclear, 5) + _mean(plasma, 5) > LEAST_DYE
    if np.count_nonzero(tissue) < LEAST_TISSUE_PX:
        tissue[:] = True
    everywhere = np.flatnonzero(tissue)[::STRIDE]
    spots = _spots(dyes[0], tissue, everywhere)
    places = np.concatenate(spots)
    kinds = np.repeat(np.arange(len(spots)), [len(kind) for kind in spots])
    many = np.bincount(kinds, minlength=len(spots))
    parts = []
    for around in _maps(dyes[0], nuclear, plasma, tissue, spots[1]):
        values, all_values = around.ravel()[places], around.ravel()[everywhere]
        cuts = np.sort(all_values)[[int(rank * len(everywhere)) for rank in RANKS]]
        classes = kinds * (len(RANKS) + 1) + np.searchsorted(cuts, values, side="right")
        counts = np.bincount(classes, minlength=len(spots) * (len(RANKS) + 1)).reshape(len(spots), -1)
        means = np.bincount(kinds, values, minlength=len(spots)) / many
        parts.append(counts.cumsum(axis=1)[:, :-1] / many[:, None])
        parts.append((means - all_values.mean())[:, None] / (all_values.std() + 1e-3))
    return np.concatenate(parts, axis=1).ravel().astype(np.float32)


def _spots(nuclear: npt.NDArray[np.uint8], tissue: npt.NDArray[np.bool_], everywhere: npt.NDArray[np.int64]) -> list[
    npt.NDArray[np.int64]
]:  # fmt: skip
    """Return the places of each kind of spot, at least one pixel each."""
    darkness = _mean(nuclear.astype(np.float32), 3)
    marked = [(darkness, share) for share in DARKEST]
    for side, share in STANDING_OUT.items():
        marked.append((_mean(_top_hat(nuclear, side), 3), share))
    found = []
    for amount, share in marked:
        least = np.sort(amount.ravel()[everywhere])[int((1 - share) * len(everywhere))]
        found.append(np.flatnonzero((amount >= least) & tissue))
    return found


def _maps(
    dye: npt.NDArray[np.uint8], nuclear: Map, plasma: Map, tissue: npt.NDArray[np.bool_], spots: npt.NDArray[np.int64]
) -> list[Map]:
    """Return what surrounds each pixel: dyes, texture, other spots and glass in rings, and how steeply they change."""
    others = np.zeros(nuclear.shape, np.float32)
    others.ravel()[spots] = 1
    clear = (cv2.morphologyEx(dye, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)) - dye).astype(np.float32)
    return [
        _ring(nuclear, 7, 15), _ring(nuclear, 9, 27), _ring(plasma, 7, 15), _ring(plasma, 9, 27),
        _mean(clear, 13), _ring(_top_hat(dye, 9), 7, 17),
        _ring(others, 5, 9), _ring(others, 5, 15), _ring(others, 9, 31),
        _ring(1 - tissue.astype(np.float32), 5, 21),
        _steepness(nuclear, 11), _steepness(plasma, 11), _steepness(clear, 15),
    ]  # fmt: skip


def _top_hat(dye: npt.NDArray[np.uint8], side: int) -> Map:
    """Return what an opening by a square takes away."""
    return cv2.morphologyEx(dye, cv2.MORPH_TOPHAT, np.ones((side, side), np.uint8)).astype(np.float32)


def _mean(values: Map, side: int) -> Map:
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _ring(values: Map, inner: int, outer: int) -> Map:
    """Return the mean over a square without the smaller square in its middle."""
    difference = outer**2 * _mean(values, outer) - inner**2 * _mean(values, inner)
    return np.asarray(difference / (outer**2 - inner**2), dtype=np.float32)


def _steepness(values: Map, side: int) -> Map:
    smooth = _mean(values, side)
    steep: Map = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return steep
