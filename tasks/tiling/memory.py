"""How much of a slide is held at once: whole bands where they fit, upright strips of them where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.tiling.readers.protocol import SlideGeometry
from tasks.tiling.scales import ScalePlan

PIECE_SOURCE_PX = 1024  # side of what is averaged in one go, in pixels of the plane that it is averaged from
Boxes = Sequence[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The bound on decoded pixels and the width of the strips that keep to it."""

    cache_bytes: int
    strip_px0: int
    """Width of a strip in level-0 pixels; tiles belong to the strip of their right edge."""


def plan_memory(geometry: SlideGeometry, scales: Sequence[ScalePlan], boxes: Boxes, limit_bytes: int) -> MemoryPlan:
    """Return what the sweep holds, so that no block is decoded again but for those at the borders of strips.

    Less memory is faster too: pages are touched once and reused.

    Args:
        geometry: the slide's.
        scales: how tiles are made, the finest first.
        boxes: for each scale, the boxes (x, y, width, height) of its tiles in level-0 pixels, shape (N, 4).
        limit_bytes: bound of the configuration.
    """
    span = max((int(each[:, 0].max() + each[0, 2] - each[:, 0].min()) for each in boxes if len(each)), default=0)
    widest = max(plan.extent_px0[0] for plan in scales)
    per_px0 = _bytes_per_px0(geometry, scales, boxes)
    if span * per_px0 <= limit_bytes:
        return MemoryPlan(int(span * per_px0), max(1, geometry.width_px0 + 2 * widest))
    return MemoryPlan(limit_bytes, max(widest, int(limit_bytes / per_px0) - widest))


def _bytes_per_px0(geometry: SlideGeometry, scales: Sequence[ScalePlan], boxes: Boxes) -> float:
    """Return the bytes that one level-0 pixel of a strip's width costs: bands of the levels, and of averaged pieces."""
    bands: dict[int, float] = {}
    pieces = 0.0
    for plan, each in zip(scales, boxes, strict=True):
        level = geometry.levels[plan.level]
        alone = sum(other.level == plan.level for other in scales) == 1
        if not len(each) or (alone and _whole_blocks(plan, geometry, each)):
            continue
        if plan.ratio == (1.0, 1.0):
            rows = plan.tile_px
        else:
            rows = PIECE_SOURCE_PX
            pieces += 4 * (plan.tile_px + 2 * PIECE_SOURCE_PX / max(plan.ratio)) / plan.step_px0[0]
        bands[plan.level] = max(bands.get(plan.level, 0.0), rows + 2 * level.block_height)
    return pieces + sum(4 * rows / geometry.levels[index].downsample_x for index, rows in bands.items())


def _whole_blocks(plan: ScalePlan, geometry: SlideGeometry, boxes: NDArray[np.int64]) -> bool:
    """Return whether every tile is made of whole stored blocks, none of which two tiles of this scale need."""
    level = geometry.levels[plan.level]
    sides = level.block_width * level.downsample_x, level.block_height * level.downsample_y
    return all(
        extent % side == 0 and boxes[0, axis] % side == 0 and not ((boxes[:, axis] - boxes[0, axis]) % extent).any()
        for axis, (extent, side) in enumerate(zip(plan.extent_px0, sides, strict=True))
    )
