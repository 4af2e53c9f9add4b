"""Candidate centres to planned fields: where every tile lies, and whether the overview already rules the field out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from schemas.ids import ID_HEX
from schemas.records import Rejection
from schemas.records.shared import Scale
from schemas.rejection import Reason
from tasks.tiling.config import TilingConfig
from tasks.tiling.overview import Overview
from tasks.tiling.readers.protocol import SlideGeometry
from tasks.tiling.scales import ScalePlan

Box = tuple[int, int, int, int]
BACKGROUND_SHARE = 0.02  # below it a centre is called background rather than low in tissue


@dataclass(frozen=True, slots=True)
class PlannedTile:
    """One tile before its pixels are read."""

    plan: ScalePlan
    origin: tuple[int, int]
    """First pixel (x, y) in the scale's plane."""
    inside: float
    tissue: float
    pen: float
    folds: float

    @property
    def box_px0(self) -> Box:
        """Box (x, y, width, height) in level-0 pixels; derived, since a large slide has a hundred thousand of them."""
        return self.plan.box_px0(self.origin)

    @property
    def scale(self) -> Scale:
        """Scale of the tile."""
        return self.plan.scale


@dataclass(frozen=True, slots=True)
class PlannedField:
    """One field before its pixels are read; the finest tile comes first and defines the centre."""

    field_id: str
    centre_px0: tuple[int, int]
    tiles: tuple[PlannedTile, ...]


@dataclass(frozen=True, slots=True)
class DroppedField:
    """A centre that becomes no field, and why; kept for the table of rejections and the overlay."""

    field_id: str
    centre_px0: tuple[int, int]
    reason: Reason
    detail: str

    def rejection(self) -> Rejection:
        """Return the row of the table of rejections."""
        return Rejection(item_id=self.field_id, stage="tiling", reason=self.reason, detail=self.detail)


@dataclass(frozen=True, slots=True)
class FieldPlanner:
    """Plans the field around a centre of one slide."""

    slide_id: str
    geometry: SlideGeometry
    scales: tuple[ScalePlan, ...]
    overview: Overview
    config: TilingConfig

    def plan(self, origin: tuple[int, int]) -> PlannedField | DroppedField:
        """Return the field whose finest tile starts at a plane pixel, or why there is none.

        Args:
            origin: first pixel (x, y) of the finest tile in the finest scale's plane.
        """
        exact = self.scales[0].centre(origin)
        centre = round(exact[0]), round(exact[1])
        key = f"{self.slide_id}|{centre[0]},{centre[1]}|{self.config.scales_mpp}|{self.config.tile_px}"
        field_id = f"field_{sha256(key.encode()).hexdigest()[:ID_HEX]}"
        tiles = []
        for plan in self.scales:
            found = self._tile(plan, origin if plan is self.scales[0] else plan.origin(exact))
            if isinstance(found, tuple):
                return DroppedField(field_id, centre, *found)
            tiles.append(found)
        return PlannedField(field_id, centre, tuple(tiles))

    def _tile(self, plan: ScalePlan, origin: tuple[int, int]) -> PlannedTile | tuple[Reason, str]:
        limits = self.config.thresholds
        box = plan.box_px0(origin)
        inside = inside_fraction(box, self.geometry.bounds)
        if inside < limits.inside_fraction_min or inside == 0.0:
            return "outside_slide", f"{inside:.0%} of the {plan.scale} tile is inside the slide"
        finest = plan is self.scales[0]
        if finest and self.overview.damaged.share(box) > 0:
            return "region_unreadable", "lies on a part of the slide that cannot be read"
        tissue = self.overview.tissue.share(box)
        if finest and tissue < limits.tissue_fraction_min:
            reason: Reason = "background" if tissue < BACKGROUND_SHARE else "low_tissue"
            return reason, f"{tissue:.0%} of the {plan.scale} tile is tissue"
        pen = self.overview.pen.share(box)
        if pen > limits.pen_fraction_max:
            return "pen_ink", f"{pen:.0%} of the {plan.scale} tile is pen ink"
        folds = self.overview.folds.share(box)
        if folds > limits.fold_fraction_max:
            return "fold", f"{folds:.0%} of the {plan.scale} tile is folded tissue"
        return PlannedTile(plan, origin, inside, tissue, pen, folds)


def tile_boxes_px0(tiles: Sequence[PlannedTile]) -> NDArray[np.int64]:
    """Return the boxes (x, y, width, height) of tiles in level-0 pixels, shape (N, 4): `box_px0` of many at once."""
    plans = [tile.plan for tile in tiles]
    steps = np.array([plan.step_px0 for plan in plans]).reshape(-1, 2)
    corners = np.array([tile.origin for tile in tiles]).reshape(-1, 2) * steps
    extents = np.array([plan.tile_px for plan in plans]).reshape(-1, 1) * steps
    boxes: NDArray[np.int64] = np.rint(np.hstack([corners, extents])).astype(np.int64)
    return boxes


def inside_fraction(box: Box, bounds: Box) -> float:
    """Return the share of a box (x, y, width, height) that lies inside another."""
    x, y, width, height = box
    overlap_x = min(x + width, bounds[0] + bounds[2]) - max(x, bounds[0])
    overlap_y = min(y + height, bounds[1] + bounds[3]) - max(y, bounds[1])
    return max(0, overlap_x) * max(0, overlap_y) / (width * height)
