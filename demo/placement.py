"""Where stamps are set down: the stamps of a slide with their positions, and ways to draw positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from demo.layout import CELL_UM
from demo.noise import Field
from demo.stamps import PX_PER_UM, Stamp
from demo.tessellation import Points

GRAIN, PATCH = 2, 3  # planes of a stamp


@dataclass
class Placed:
    """Stamps set down on a slide: which stamp, and the level-0 pixel of its centre."""

    stamps: list[Stamp] = field(default_factory=list)
    _which: list[NDArray[np.int64]] = field(default_factory=list)
    _points: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, stamps: Sequence[Stamp], which: NDArray[np.int64], points_px0: Points) -> None:
        """Set down `stamps[which[i]]` with its centre at `points_px0[i]` (x, y)."""
        self._which.append(which + len(self.stamps))
        self._points.append(np.rint(points_px0).astype(np.int64))
        self.stamps.extend(stamps)

    def scatter(self, stamps: Sequence[Stamp], points_px0: Points, rng: np.random.Generator) -> None:
        """Set down a random one of the stamps at every point."""
        self.add(stamps, rng.integers(0, len(stamps), len(points_px0)), points_px0)

    def sorted_by_row(self, planes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the stamps with this many planes from top to bottom: indices (N,) and upper left corners (N, 2)."""
        if not self._which:
            return np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
        which, points = np.concatenate(self._which), np.concatenate(self._points)
        chosen = np.array([stamp.shape[0] == planes for stamp in self.stamps])[which]
        which, points = which[chosen], points[chosen]
        corners = points - np.array([stamp.shape[:0:-1] for stamp in self.stamps])[which] // 2
        order = np.argsort(corners[:, 1], kind="stable")
        return which[order], corners[order]


@dataclass(frozen=True)
class Window:
    """A region's bounding box on the coarse grid, and the cells of it that are the region's own (H, W)."""

    left: int
    top: int
    mask: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in coarse cells."""
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def extent_um(self) -> tuple[float, float]:
        """Height and width in um."""
        return self.mask.shape[0] * CELL_UM, self.mask.shape[1] * CELL_UM

    def to_px0(self, points_um: Points) -> Points:
        """Return level-0 pixels of points given in um from the window's corner."""
        return (points_um + np.array([self.left, self.top]) * CELL_UM) * PX_PER_UM

    def inside(self, points_um: Points) -> NDArray[np.bool_]:
        """Return which points lie in the region."""
        column, row = np.floor(points_um / CELL_UM).astype(np.int64).T
        height, width = self.mask.shape
        within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        within[within] = self.mask[row[within], column[within]]
        return np.asarray(within)


def sample(values: Field, points_um: Points) -> NDArray[np.float32]:
    """Return a coarse field at points in um from its corner; the value of a cell stands at the cell's centre."""
    column, row = points_um.T / CELL_UM - 0.5
    return np.asarray(map_coordinates(values, [row, column], order=1, mode="nearest"))


def uniform(extent_um: tuple[float, float], per_mm2: float, rng: np.random.Generator) -> Points:
    """Return uniformly scattered points of this density over a window (height, width)."""
    height, width = extent_um
    count = int(per_mm2 * height * width * 1e-6)
    return rng.random((count, 2)) * (width, height)


def along_level(values: Field, level_um: float, spacing_um: float, jitter: float, rng: np.random.Generator) -> Points:
    """Return points in a row along the contours of a coarse field.

    Args:
        values: A distance in um, (H, W).
        level_um: The distance whose contours are followed.
        spacing_um: Mean step along a contour.
        jitter: Standard deviation of a step as a share of the spacing.
        rng: The source of randomness.
    """
    found = contour_generator(z=values).lines(level_um)
    lines = [np.asarray(line, np.float64) for line in found if len(line) > 4]
    if not lines:
        return np.zeros((0, 2))
    points = (np.concatenate(lines) + 0.5) * CELL_UM
    steps = np.hypot(*np.diff(points, axis=0).T)
    steps[np.cumsum([len(line) for line in lines])[:-1] - 1] = 0.0  # from one contour to the next is no way
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(travelled[-1] / spacing_um)
    stops = (np.arange(count) + 0.5 + rng.normal(0, jitter, count)) * spacing_um
    return np.stack([np.interp(stops, travelled, points[:, axis]) for axis in (0, 1)], axis=1)


def apart_from(points: Points, others: Points, distance_um: float) -> NDArray[np.bool_]:
    """Return which points are farther than a distance from all others."""
    if not len(others) or not len(points):
        return np.ones(len(points), bool)
    nearest, _ = cKDTree(others).query(points, distance_upper_bound=distance_um)
    return np.asarray(np.isinf(nearest))


def one_per_block(points: Points, block_um: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return indices of points, one drawn from each square block that holds any."""
    order = rng.permutation(len(points))
    blocks = np.floor(points[order] / block_um).astype(np.int64)
    _, first = np.unique(blocks, axis=0, return_index=True)
    return order[np.sort(first)]
