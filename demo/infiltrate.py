"""Where lymphocytes lie in a tumour: scattered in stroma, among tumour cells, along the interface, or around vessels.

The level of inflammation sets how many there are per mm2 of region, whatever the site and the architecture, so that the
number shows the level and the places alone show the site.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.architecture import Structure
from demo.layout import CELL_UM
from demo.noise import smooth_noise
from demo.placement import Window, along_level, apart_from, sample, uniform
from demo.tessellation import Points

LYMPHOCYTE_UM = 7.0
PER_MM2 = {"sparse": 170.0, "dense": 1300.0}
VESSEL_BLOCK_UM = {"perivascular": 130.0, "other": 420.0}
VESSEL_ROOM_UM = 13.0
VESSEL_RADIUS_UM = 9.0
VESSELS_APART_UM = 45.0
CUFF_UM = (4.5, 11.0, 17.5)  # rings of a cuff, from the vessel's wall
STROMAL_DEPTH_UM = 11.0  # from the epithelium, so that stromal cells are no interface
INTERFACE_UM = (-4.0, -11.0)
STRETCH_UM = 70.0  # length of the stretches of the interface that are infiltrated
STRETCH_BLOCK_UM = 190.0  # side of the blocks that each have such a stretch


@dataclass(frozen=True)
class Tissue:
    """A tumour region that lymphocytes may enter; vessels are points in um (N, 2)."""

    window: Window
    structure: Structure
    vessels: Points
    rng: np.random.Generator


def infiltrate(tissue: Tissue, site: str, level: str) -> Points:
    """Return the centres of a region's lymphocytes in um.

    Args:
        tissue: The region.
        site: A value of `inflammation_site`.
        level: A value of `inflammation`.
    """
    wanted = int(PER_MM2[level] * tissue.window.mask.sum() * CELL_UM**2 * 1e-6)
    candidates = SITES[site](tissue)
    return candidates[tissue.window.inside(candidates)][:wanted]


def vessels_in(window: Window, structure: Structure, site: str, rng: np.random.Generator) -> Points:
    """Return the widest spots of the stroma in um, at most one per block, that have room for a vessel."""
    side = round(VESSEL_BLOCK_UM.get(site, VESSEL_BLOCK_UM["other"]) / CELL_UM)
    height, width = (-(-length // side) * side for length in window.shape)
    room = np.full((height, width), -1.0, np.float32)
    inside = np.where(window.mask, -structure.epithelium, np.float32(-1.0))
    room[: window.shape[0], : window.shape[1]] = inside + 0.6 * rng.random(window.shape, np.float32)
    blocks = room.reshape(height // side, side, width // side, side).swapaxes(1, 2).reshape(-1, side * side)
    best = blocks.argmax(axis=1)
    block_row, block_column = np.divmod(np.arange(len(blocks)), width // side)
    row, column = block_row * side + best // side, block_column * side + best % side
    points = np.stack([column + 0.5, row + 0.5], axis=1) * CELL_UM
    points = points[blocks.max(axis=1) > VESSEL_ROOM_UM]
    return np.asarray(points[_apart_from_earlier(points, VESSELS_APART_UM)])


def _apart_from_earlier(points: Points, distance_um: float) -> NDArray[np.bool_]:
    """Return which points are kept when each is dropped that lies near one kept before it."""
    kept = np.zeros(len(points), bool)
    for index, point in enumerate(points):
        kept[index] = bool((np.hypot(*(points[kept] - point).T) > distance_um).all())
    return kept


def _stromal(tissue: Tissue) -> Points:
    points = uniform(tissue.window.extent_um, 16000.0, tissue.rng)
    deep = sample(tissue.structure.epithelium, points) < -STROMAL_DEPTH_UM
    return points[deep & apart_from(points, tissue.vessels, VESSEL_RADIUS_UM + 6.0)]


def _intraepithelial(tissue: Tissue) -> Points:
    points = uniform(tissue.window.extent_um, 5000.0, tissue.rng)
    within = sample(tissue.structure.epithelium, points) > 6.0
    return points[within & (sample(tissue.structure.lumen, points) < -6.0)]


def _interface(tissue: Tissue) -> Points:
    """Return rows along the epithelium's edge: in every block, first the stretch where a smooth field is highest."""
    edge = tissue.structure.epithelium
    points = np.concatenate([along_level(edge, level, LYMPHOCYTE_UM, 0.15, tissue.rng) for level in INTERFACE_UM])
    height = sample(smooth_noise(tissue.window.shape, STRETCH_UM / CELL_UM, tissue.rng), points)
    column, row = np.floor(points / STRETCH_BLOCK_UM).astype(np.int64).T
    block = row * (int(column.max(initial=0)) + 1) + column
    order = np.lexsort((-height, block))
    starts = np.searchsorted(block[order], block[order])
    points = points[order][np.argsort(np.arange(len(order)) - starts, kind="stable")]
    return points + tissue.rng.normal(0, 0.9, points.shape)


def _perivascular(tissue: Tissue) -> Points:
    """Return cuffs around the vessels: the innermost ring of each, then the next."""
    vessels = tissue.rng.permutation(tissue.vessels)
    rings = []
    for distance in CUFF_UM:
        radius = VESSEL_RADIUS_UM + distance
        count = int(2 * np.pi * radius / LYMPHOCYTE_UM)
        turns = tissue.rng.uniform(0, 2 * np.pi, (len(vessels), 1)) + np.arange(count) * 2 * np.pi / count
        ring = np.stack([np.cos(turns), np.sin(turns)], axis=-1) * radius + vessels[:, None]
        rings.append(ring.reshape(-1, 2))
    points = np.concatenate(rings)
    points += tissue.rng.normal(0, 2.2, points.shape)
    return points[sample(tissue.structure.epithelium, points) < -2.0]


SITES: dict[str, Callable[[Tissue], Points]] = {
    "stromal": _stromal,
    "intraepithelial": _intraepithelial,
    "interface": _interface,
    "perivascular": _perivascular,
}
