"""The whole slide at mask resolution: tissue, pen ink, folds and damage, and their share of any box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import SlideReadError
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.planes import LevelPlane, PixelCache, Plane, ReducedPlane
from tasks.tiling.readers.protocol import Pixels, SlideReader
from tasks.tiling.resample import white
from tasks.tiling.tissue import find_folds, find_pen, find_tissue

_STRIP_PX = 1024  # source pixels per side that are averaged in one go
_CACHE_BYTES = 32 << 20
_DAMAGE_PX = 4  # overview pixels per side below which no damaged part is looked at more closely, nor below a block

Mask = NDArray[np.bool_]


class ShareMap:
    """A mask whose share of any box is read off in constant time (summed-area table).

    References:
        Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984.
    """

    def __init__(self, mask: Mask, step_px0: tuple[float, float]) -> None:
        self.mask = mask
        self._step = step_px0
        self._sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
        np.cumsum(np.cumsum(mask, axis=0), axis=1, out=self._sums[1:, 1:])

    def share(self, box_px0: tuple[int, int, int, int]) -> float:
        """Return the share of a level-0 box (x, y, width, height) that the mask covers, outside counting as uncovered.

        Edges are rounded to whole mask pixels, of which at least one is looked at.
        """
        x, y, width, height = box_px0
        left, right = self._edges(x, width, self._step[0])
        top, bottom = self._edges(y, height, self._step[1])
        area = (right - left) * (bottom - top)
        rows, columns = self.mask.shape
        left, right = min(max(left, 0), columns), min(max(right, 0), columns)
        top, bottom = min(max(top, 0), rows), min(max(bottom, 0), rows)
        sums = self._sums
        covered = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return float(covered / area)

    @staticmethod
    def _edges(start: int, length: int, step: float) -> tuple[int, int]:
        first = round(start / step)
        return first, max(first + 1, round((start + length) / step))


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """The slide at mask resolution and what was found on it."""

    pixels: Pixels
    step_px0: tuple[float, float]
    """Level-0 pixels per overview pixel (x, y)."""
    tissue: ShareMap
    pen: ShareMap
    folds: ShareMap
    damaged: ShareMap


def read_overview(reader: SlideReader, mpp: tuple[float, float], mask_mpp: float) -> Overview:
    """Read the slide at about `mask_mpp` and find tissue, pen ink and folds.

    Args:
        reader: the open slide.
        mpp: micrometres per level-0 pixel (x, y).
        mask_mpp: wanted micrometres per overview pixel; the true one is a whole number of level pixels below it.

    Raises:
        RefusedSlideError: not one part of the slide can be read.
    """
    level, factor = _source(reader, mpp, mask_mpp)
    place = reader.geometry.levels[level]
    cache = PixelCache(_CACHE_BYTES)
    plane: Plane = LevelPlane(reader, level, cache)
    if factor != (1, 1):
        plane = ReducedPlane(plane, factor, 0, cache)
    sides = _strip(factor[0], place.block_width), _strip(factor[1], place.block_height)
    smallest = max(_DAMAGE_PX, place.block_width // factor[0], place.block_height // factor[1])
    pixels, damaged = _assemble(plane, sides, smallest, reader)
    if damaged.all():
        raise RefusedSlideError("opens, but none of its pixels can be read", reason="unreadable")
    step = (factor[0] * place.downsample_x, factor[1] * place.downsample_y)
    pen = find_pen(pixels[..., :3])
    true_mpp = (step[0] * mpp[0] + step[1] * mpp[1]) / 2
    tissue = find_tissue(pixels[..., :3], exclude=pen | damaged, mpp=true_mpp)
    folds = find_folds(pixels[..., :3], tissue, mpp=true_mpp)
    maps = [ShareMap(mask, step) for mask in (tissue, pen, folds, damaged)]
    return Overview(pixels, step, *maps)


def _source(reader: SlideReader, mpp: tuple[float, float], mask_mpp: float) -> tuple[int, tuple[int, int]]:
    best = 0
    for index, level in enumerate(reader.geometry.levels):
        if max(level.downsample_x * mpp[0], level.downsample_y * mpp[1]) <= mask_mpp * 1.05:
            best = index
    level = reader.geometry.levels[best]
    factor_x = max(1, int(mask_mpp * 1.05 / (level.downsample_x * mpp[0])))
    factor_y = max(1, int(mask_mpp * 1.05 / (level.downsample_y * mpp[1])))
    return best, (min(factor_x, level.width), min(factor_y, level.height))


def _strip(factor: int, block: int) -> int:
    """Return a number of overview pixels that covers whole blocks, so that none is decoded for two strips."""
    whole = math.lcm(factor, block) // factor
    side = max(_DAMAGE_PX, _STRIP_PX // factor)
    return side // whole * whole if whole <= side else side


def _assemble(plane: Plane, sides: tuple[int, int], smallest: int, reader: SlideReader) -> tuple[Pixels, Mask]:
    pixels = white(plane.width, plane.height)
    damaged = np.zeros((plane.height, plane.width), dtype=np.bool_)

    def fill(x: int, y: int, width: int, height: int) -> None:
        try:
            pixels[y : y + height, x : x + width] = plane.window(x, y, width, height)
        except SlideReadError:
            reader.reopen()
            if max(width, height) <= smallest:
                damaged[y : y + height, x : x + width] = True
                return
            half_width, half_height = (width + 1) // 2, (height + 1) // 2
            for part_y, part_height in ((y, half_height), (y + half_height, height - half_height)):
                for part_x, part_width in ((x, half_width), (x + half_width, width - half_width)):
                    if part_width and part_height:
                        fill(part_x, part_y, part_width, part_height)

    for y in range(0, plane.height, sides[1]):
        for x in range(0, plane.width, sides[0]):
            fill(x, y, min(sides[0], plane.width - x), min(sides[1], plane.height - y))
    return pixels, damaged
