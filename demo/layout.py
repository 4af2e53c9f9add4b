"""Where the tissue lies on the slide and how it is divided into regions.

Geometry is done on a coarse grid of `CELL_PX` level-0 pixels (4 um): outlines are smooth at that scale and are
interpolated when they are drawn. The layout itself is drafted on a grid twice as coarse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.noise import Field, wavy_noise

MPP = 0.5
CELL_PX = 8
CELL_UM = CELL_PX * MPP
DRAFT_PX = 16
DRAFT_UM = DRAFT_PX * MPP
REGION_PX = (4096, 4608)  # (width, height) of the slide that one region takes
MARGIN_UM = 90.0
GAP_UM = 170.0
SQUARENESS = 5.0  # exponent of the superellipse that sections are
CORNER_UM = 900.0

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """The tissue of one slide on the coarse grid.

    Attributes:
        territory: Region number at each cell (H, W), from 1, also where there is no tissue.
        depth_um: Distance inside the tissue's edge (H, W), negative outside; exact near the edge only.
    """

    territory: Labels
    depth_um: Field

    @property
    def labels(self) -> Labels:
        """Region number at each cell (H, W), 0 on empty glass."""
        return np.where(self.depth_um > 0, self.territory, np.uint8(0))


def grid_of(size_px0: tuple[int, int]) -> tuple[int, int]:
    """Return how many columns and rows of regions a slide of this size (width, height) holds, at least one each."""
    return max(1, round(size_px0[0] / REGION_PX[0])), max(1, round(size_px0[1] / REGION_PX[1]))


def lay_out(size_px0: tuple[int, int], sections: str, missing_corner: bool, rng: np.random.Generator) -> Layout:
    """Return a slide's sections, each divided into regions by a wavy Voronoi diagram.

    Args:
        size_px0: Width and height of the slide in level-0 pixels.
        sections: `whole` (one piece), `pair` (two) or `strips` (one per column of regions).
        missing_corner: Whether a corner of the tissue is torn away.
        rng: The source of randomness.
    """
    width, height = size_px0[0] // DRAFT_PX, size_px0[1] // DRAFT_PX
    columns, rows = grid_of(size_px0)
    depth = np.full((height, width), -1e3, np.float32)
    territory = np.zeros((height, width), np.uint8)
    waves = wavy_noise((height, width), [(50, 22), (15, 8)], rng)
    warp = [wavy_noise((height, width), [(42, 70), (11, 14)], rng) for _ in range(2)]
    for first, last in _section_columns(columns, sections, rng):
        left, right = first * width // columns, last * width // columns
        margins = [MARGIN_UM if edge in (0, columns) else GAP_UM / 2 for edge in (first, last)]
        box = (left + margins[0] / DRAFT_UM, right - margins[1] / DRAFT_UM)
        np.maximum(depth, _superellipse((height, width), box) + waves, out=depth)
        territory[:, left:right] = _voronoi(warp, (first, last), (columns, rows), slice(left, right), rng)
    if missing_corner:
        depth = np.minimum(depth, _tear((height, width), rng) + waves)
    finer = DRAFT_PX // CELL_PX
    enlarged = Image.fromarray(depth).resize((width * finer, height * finer), Image.Resampling.BILINEAR)
    return Layout(territory.repeat(finer, axis=0).repeat(finer, axis=1), np.asarray(enlarged))


def _section_columns(columns: int, sections: str, rng: np.random.Generator) -> list[tuple[int, int]]:
    if sections == "pair" and columns > 1:
        cut = int(rng.integers(1, columns))
        return [(0, cut), (cut, columns)]
    if sections == "strips":
        return [(column, column + 1) for column in range(columns)]
    return [(0, columns)]


def _superellipse(shape: tuple[int, int], box: tuple[float, float]) -> Field:
    """Return the approximate depth in um inside a rounded rectangle that spans `box` along x."""
    height, width = shape
    half_x, half_y = (box[1] - box[0]) / 2, height / 2 - MARGIN_UM / DRAFT_UM
    x = np.abs(np.arange(width, dtype=np.float32) - (box[0] + box[1]) / 2) / half_x
    y = np.abs(np.arange(height, dtype=np.float32) - height / 2) / half_y
    radius = (x[None, :] ** SQUARENESS + y[:, None] ** SQUARENESS) ** np.float32(1 / SQUARENESS)
    return np.asarray((1 - radius) * (min(half_x, half_y) * DRAFT_UM), np.float32)


def _tear(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Return the distance in um from a disc that takes away one corner."""
    height, width = shape
    corner_x, corner_y = int(rng.integers(2)) * width, int(rng.integers(2)) * height
    x = np.arange(width, dtype=np.float32) - corner_x
    y = np.arange(height, dtype=np.float32) - corner_y
    return np.hypot(x[None, :], y[:, None]) * np.float32(DRAFT_UM) - np.float32(CORNER_UM * rng.uniform(0.8, 1.2))


def _voronoi(
    warp: list[Field], span: tuple[int, int], grid: tuple[int, int], part: slice, rng: np.random.Generator
) -> Labels:
    """Return region numbers over the columns `part` of the slide, whose section spans these columns of regions."""
    height, width = warp[0].shape
    columns, rows = grid
    x = np.arange(part.start, part.stop, dtype=np.float32)[None, :] + warp[0][:, part] / np.float32(DRAFT_UM)
    y = np.arange(height, dtype=np.float32)[:, None] + warp[1][:, part] / np.float32(DRAFT_UM)
    nearest = np.full(x.shape, np.inf, np.float32)
    labels = np.zeros(x.shape, np.uint8)
    for row in range(rows):
        for column in range(*span):
            seed_x = (column + 0.5 + rng.uniform(-0.07, 0.07)) * width / columns
            seed_y = (row + 0.5 + rng.uniform(-0.07, 0.07)) * height / rows
            distance = (x - np.float32(seed_x)) ** 2 + (y - np.float32(seed_y)) ** 2
            closer = distance < nearest
            nearest[closer] = distance[closer]
            labels[closer] = row * columns + column + 1
    return labels
