"""From micrometres per pixel to whole pixels: which level each scale is read from, and the true box of every tile."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.records.shared import Scale
from tasks.tiling.config import MPP_MAX, MPP_MIN, TilingConfig
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.readers.protocol import SlideGeometry

# A ratio this large may be read from a stored level although it is no whole number: a level pixel is then at most an
# eighth of a tile pixel to either side, so the mean differs little from that of level 0.
FRACTION_FROM_LEVEL = 4.0


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """How tiles of one scale are made. A plane is the slide at this scale; its pixel i starts at i * step_px0."""

    scale: Scale
    mpp: float
    """True micrometres per tile pixel, the mean of both axes."""
    level: int
    ratio: tuple[float, float]
    """Level pixels per tile pixel (x, y)."""
    step_px0: tuple[float, float]
    """Level-0 pixels per tile pixel (x, y)."""
    tile_px: int

    def origin(self, centre_px0: tuple[float, float]) -> tuple[int, int]:
        """Return the plane pixel where the tile around a centre starts: within half a pixel of this scale."""
        x, y = (round(side / step - self.tile_px / 2) for side, step in zip(centre_px0, self.step_px0, strict=True))
        return x, y

    def centre(self, origin: tuple[int, int]) -> tuple[float, float]:
        """Return the centre, in level-0 pixels, of the tile that starts at a plane pixel."""
        x, y = ((start + self.tile_px / 2) * step for start, step in zip(origin, self.step_px0, strict=True))
        return x, y

    def box_px0(self, origin: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the tile's box (x, y, width, height) in whole level-0 pixels."""
        step_x, step_y = self.step_px0
        side = self.tile_px
        return round(origin[0] * step_x), round(origin[1] * step_y), round(side * step_x), round(side * step_y)

    @property
    def extent_px0(self) -> tuple[int, int]:
        """Width and height of a tile in level-0 pixels."""
        return round(self.tile_px * self.step_px0[0]), round(self.tile_px * self.step_px0[1])


def slide_mpp(geometry: SlideGeometry, override: float | None) -> tuple[float, float]:
    """Return micrometres per level-0 pixel (x, y): the manifest's where it gives one, else the slide's own.

    Raises:
        RefusedSlideError: there is none, or it cannot be true.
    """
    mpp_x, mpp_y = (override, override) if override else (geometry.mpp_x, geometry.mpp_y)
    if not mpp_x or not mpp_y:
        raise RefusedSlideError(
            "does not say how many micrometres a pixel is", reason="missing_mpp", remedy="give mpp in the manifest"
        )
    if not all(MPP_MIN <= mpp <= MPP_MAX for mpp in (mpp_x, mpp_y)):
        raise RefusedSlideError(
            f"says {mpp_x:g} x {mpp_y:g} um/px, which is not between {MPP_MIN} and {MPP_MAX}",
            reason="mpp_out_of_range",
            remedy="give mpp in the manifest",
        )
    return mpp_x, mpp_y


def plan_scales(geometry: SlideGeometry, mpp: tuple[float, float], config: TilingConfig) -> tuple[ScalePlan, ...]:
    """Return how each configured scale is made, the finest first.

    Raises:
        RefusedSlideError: the slide is coarser than a scale, or smaller than a tile.
    """
    plans = []
    for scale, target in reversed(config.scales_mpp.items()):
        if max(mpp) > target * (1 + config.ratio_tolerance):
            raise RefusedSlideError(
                f"has {max(mpp):g} um/px, coarser than scale {scale} at {target:g} um/px",
                reason="mpp_out_of_range",
                remedy="leave that scale out of tiling.scales_mpp",
            )
        plans.append(_plan(geometry, mpp, scale, target, config))
    _, _, width, height = geometry.bounds
    for plan in reversed(plans):
        inside = min(1.0, width / plan.extent_px0[0]) * min(1.0, height / plan.extent_px0[1])
        if inside < max(config.thresholds.inside_fraction_min, 1 / plan.tile_px):
            extent = " x ".join(f"{side * size:.0f}" for side, size in zip(plan.extent_px0, mpp, strict=True))
            raise RefusedSlideError(
                f"is too small: a tile at scale {plan.scale} covers {extent} um and the slide "
                f"{width * mpp[0]:.0f} x {height * mpp[1]:.0f} um",
                reason="too_small",
                remedy="lower thresholds.inside_fraction_min, tile_px, or the scale",
            )
    return tuple(plans)


def _plan(
    geometry: SlideGeometry, mpp: tuple[float, float], scale: Scale, target: float, config: TilingConfig
) -> ScalePlan:
    chosen = 0, _ratio(geometry, 0, mpp, target, config.ratio_tolerance)
    for index in range(1, len(geometry.levels)):
        ratio = _ratio(geometry, index, mpp, target, config.ratio_tolerance)
        if min(ratio) >= 1.0 and all(side.is_integer() or side >= FRACTION_FROM_LEVEL for side in ratio):
            chosen = index, ratio
    level, ratio = chosen
    step_x = ratio[0] * geometry.levels[level].downsample_x
    step_y = ratio[1] * geometry.levels[level].downsample_y
    true_mpp = (step_x * mpp[0] + step_y * mpp[1]) / 2
    return ScalePlan(scale, true_mpp, level, ratio, (step_x, step_y), config.tile_px)


def _ratio(
    geometry: SlideGeometry, index: int, mpp: tuple[float, float], target: float, tolerance: float
) -> tuple[float, float]:
    level = geometry.levels[index]
    x = _snapped(target / (mpp[0] * level.downsample_x), tolerance)
    y = _snapped(target / (mpp[1] * level.downsample_y), tolerance)
    return x, y


def _snapped(ratio: float, tolerance: float) -> float:
    whole = max(1, round(ratio))
    return float(whole) if abs(ratio - whole) <= tolerance * whole else ratio
