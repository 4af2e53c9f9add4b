"""Cells of a plane around scattered seeds: distances to the nearest and second nearest seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from demo.noise import Field

Points = NDArray[np.float64]
FAR = np.float32(1e12)  # a squared distance


def jittered_hexagons(
    shape: tuple[float, float], spacing: float, jitter: float, rng: np.random.Generator, *, periodic: bool = False
) -> Points:
    """Return points of a hexagonal lattice, each moved by a random step.

    Args:
        shape: Height and width to cover; the lattice reaches one spacing beyond unless it is periodic.
        spacing: Distance between neighbours, in the unit of `shape`.
        jitter: Largest step along each axis as a share of the spacing.
        rng: The source of randomness.
        periodic: Fit whole numbers of rows and columns into `shape`, so that the lattice tiles the plane.

    Returns:
        An array (N, 2) of x and y.
    """
    height, width = shape
    margin = 0 if periodic else 2
    rows = max(2, 2 * round(height / spacing / np.sqrt(0.75) / 2)) + 2 * margin
    columns = max(1, round(width / spacing)) + margin
    step_y = height / rows if periodic else spacing * np.sqrt(0.75)
    step_x = width / columns if periodic else spacing
    row, column = np.mgrid[0:rows, 0:columns].astype(np.float64)
    x = (column + 0.5 * (row % 2) - 0.5 * margin) * step_x
    y = (row - margin) * step_y
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    points += rng.uniform(-jitter, jitter, points.shape) * spacing
    return points % (width, height) if periodic else points


def two_nearest(x: Field, y: Field, seeds: Points, reach: float) -> tuple[Field, Field, NDArray[np.int32]]:
    """Return the distances to the nearest and second nearest seed, and which seed is nearest.

    Every seed paints a cone into the square around it, which is much faster than a search per pixel.

    Args:
        x: The x at which each pixel is looked up, (H, W); it may be warped by a small part of `reach`.
        y: The y likewise.
        seeds: Positions (N, 2).
        reach: Half side of the square a seed paints, in pixels; at least 1.3 times the seeds' spacing.

    Returns:
        Distances (H, W), second distances (H, W) and indices (H, W); -1 and a million where no seed reaches.
    """
    height, width = x.shape
    nearest = np.full((height, width), FAR, np.float32)
    second = nearest.copy()
    owner = np.full((height, width), -1, np.int32)
    for index, (seed_x, seed_y) in enumerate(seeds.astype(np.float32)):
        rows = slice(max(0, int(seed_y - reach)), max(0, int(seed_y + reach) + 1))
        columns = slice(max(0, int(seed_x - reach)), max(0, int(seed_x + reach) + 1))
        first = nearest[rows, columns]
        if not first.size:
            continue
        distance = (x[rows, columns] - seed_x) ** 2
        distance += (y[rows, columns] - seed_y) ** 2
        np.copyto(owner[rows, columns], index, where=distance < first)
        between = np.maximum(first, distance)
        np.minimum(second[rows, columns], between, out=second[rows, columns])
        np.minimum(first, distance, out=first)
    return np.sqrt(nearest), np.sqrt(second), owner
