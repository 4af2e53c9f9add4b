"""Where fields are looked for: a grid, a seeded draw from it, or an annotation file."""

from __future__ import annotations

import numpy as np

from schemas.ids import digest
from tasks.tiling.config import Centres, GridCentres, SampledCentres
from tasks.tiling.fields import DroppedField, FieldPlanner, PlannedField
from tasks.tiling.manifest import SlideSource
from tasks.tiling.scales import ScalePlan

Origin = tuple[int, int]


def plan_fields(
    planner: FieldPlanner, source: SlideSource, centres: Centres
) -> tuple[list[PlannedField], list[DroppedField]]:
    """Return the fields that the overview allows, and the centres that it rules out.

    Every centre that is looked at is in one of the two lists. With a limit, looking ends when it is reached.

    Determinism: equal for equal slide, configuration and seed.
    """
    kept: list[PlannedField] = []
    dropped: list[DroppedField] = []
    limit = centres.max_fields_per_slide
    for origin in _origins(planner, source, centres):
        if limit is not None and len(kept) >= limit:
            break
        found = planner.plan(origin)
        if isinstance(found, DroppedField):
            dropped.append(found)
        else:
            kept.append(found)
    return kept, dropped


def _origins(planner: FieldPlanner, source: SlideSource, centres: Centres) -> list[Origin]:
    finest, bounds = planner.scales[0], planner.geometry.bounds
    if isinstance(centres, GridCentres):
        return grid_origins(finest, bounds, centres.stride_um)
    if isinstance(centres, SampledCentres):
        # Drawn before tissue is asked for: another threshold leaves the order of what it keeps as it was.
        origins = grid_origins(finest, bounds, centres.stride_um)
        seed = int(digest("centres", centres.seed, source.sha256)[:16], 16)
        drawn = [origins[index] for index in np.random.default_rng(seed).permutation(len(origins))]
        floor = max(planner.config.thresholds.tissue_fraction_min, 1e-6)
        share = planner.overview.tissue.share
        return [origin for origin in drawn if share(finest.box_px0(origin)) >= floor]
    from tasks.tiling.annotations import annotated_origins

    return annotated_origins(finest, bounds, source, centres)


def grid_origins(plan: ScalePlan, bounds: tuple[int, int, int, int], stride_um: float | None) -> list[Origin]:
    """Return the first plane pixels (x, y) of tiles on a regular grid, row by row.

    The grid starts at the corner of the bounds; every tile whose centre lies inside them is in it, none twice. Without
    a stride the tiles lie side by side: on a slide with stored tiles of the same size they are the stored tiles.

    Args:
        plan: the scale whose tiles are laid.
        bounds: box (x, y, width, height) in level-0 pixels.
        stride_um: distance of neighbours in micrometres, rounded to whole plane pixels; None for the tile's extent.
    """
    stride = plan.tile_px if stride_um is None else max(1, round(stride_um / plan.mpp))
    axes = []
    for start_px0, length_px0, step in zip(bounds[:2], bounds[2:], plan.step_px0, strict=True):
        first = round(start_px0 / step)
        last = (start_px0 + length_px0) / step - plan.tile_px / 2  # a tile that starts before it has its centre inside
        axes.append(range(first, max(first + 1, int(np.ceil(last))), stride))
    return [(x, y) for y in axes[1] for x in axes[0]]
