"""From planned fields to rows of Parquet, in bounded memory: what tiling spends its hours on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.records import Field, Slide, Tile
from tasks.store import ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.fields import DroppedField, PlannedField, boxes_px0
from tasks.tiling.maker import TileMaker
from tasks.tiling.planes import PixelCache
from tasks.tiling.readers.protocol import Level, SlideGeometry, SlideReader
from tasks.tiling.rows import TileTables
from tasks.tiling.scales import ScalePlan
from tasks.tiling.spool import Spool
from tasks.tiling.sweep import MadeField, Sweep

CACHE_MIN_BYTES = 2 << 20
Boxes = Sequence[NDArray[np.int64]]


def write_fields(
    reader: SlideReader,
    slide: Slide,
    scales: Sequence[ScalePlan],
    planned: Sequence[PlannedField],
    config: TilingConfig,
    out: ShardWriter,
) -> tuple[list[Field], list[DroppedField], Counter[str]]:
    """Make the tiles of planned fields in one pass over the slide and write them as the table `tiles`, sorted by ids.

    Args:
        reader: the open slide.
        slide: its row.
        scales: how tiles are made, the finest first.
        planned: fields in any order.
        config: encoding, thresholds and the bound on memory.
        out: shard to write into.

    Returns:
        The rows of the table `fields`, sorted; the fields dropped; and the number of tiles by scale and reader.

    Raises:
        RefusedSlideError: normalisation is asked for and there is nothing to fit it on.

    Determinism: equal slides, fields and configuration give equal bytes.
    """
    boxes = [boxes_px0(planned, rank) for rank in range(len(scales))]
    maker = _maker(reader, scales, planned, boxes, config)
    copied = np.array([maker.copies(field) for field in planned], dtype=np.bool_)
    made: list[MadeField | PlannedField] = list(itertools.compress(planned, copied))
    dropped: list[DroppedField] = []
    with Spool(out.path("tiles.parquet").parent) as spool:
        sweep = Sweep(maker, config.thresholds, spool)
        others = list(itertools.compress(planned, ~copied))
        for result in sweep.run(others, [each[~copied] for each in boxes], _band_px0(reader.geometry, scales[0])):
            if isinstance(result, DroppedField):
                dropped.append(result)
            else:
                made.append(result)
        tables = TileTables(slide, config, maker, spool)
        with out.stream("tiles", Tile) as append:
            for table in tables.write(made):
                append(table)
    return tables.fields, dropped + tables.dropped, tables.counts


def _maker(
    reader: SlideReader,
    scales: Sequence[ScalePlan],
    planned: Sequence[PlannedField],
    boxes: Boxes,
    config: TilingConfig,
) -> TileMaker:
    cache = PixelCache(cache_bytes(reader.geometry, scales, planned, boxes, config))
    maker = TileMaker(reader, scales, boxes, config=config, cache=cache)
    if config.normalisation == "none":
        return maker
    from tasks.tiling.stain import fit_normaliser

    normalise = fit_normaliser(config.normalisation, [field.tiles[0] for field in planned], maker, reader)
    return TileMaker(reader, scales, boxes, config=config, cache=cache, normalise=normalise)


def _band_px0(geometry: SlideGeometry, finest: ScalePlan) -> int:
    level = geometry.levels[finest.level]
    return max(round(level.block_height * level.downsample_y), finest.extent_px0[1])


def cache_bytes(
    geometry: SlideGeometry,
    scales: Sequence[ScalePlan],
    planned: Sequence[PlannedField],
    boxes: Boxes,
    config: TilingConfig,
) -> int:
    """Return what the sweep needs: the band that its tiles lie in, twice over, within the limit of the configuration.

    The band reaches from the leftmost tile to the rightmost; tiles that are whole stored blocks need none. Less memory
    is faster too: pages are touched once and reused.
    """
    bands = [0.0]
    for rank, plan in enumerate(scales):
        level = geometry.levels[plan.level]
        if not planned or _whole_blocks(plan, level, [field.tiles[rank].origin for field in planned]):
            continue
        left = boxes[rank][:, 0]
        span_px0 = float(left.max() + boxes[rank][0, 2] - left.min())
        width = min(level.width, span_px0 / level.downsample_x + 2 * level.block_width)
        tile_height = config.tile_px * plan.ratio[1] if rank == 0 else config.tile_px
        bands.append(width * 4 * (tile_height + 2 * level.block_height))
    return min(config.cache_mib << 20, max(CACHE_MIN_BYTES, int(2 * max(bands))))


def _whole_blocks(plan: ScalePlan, level: Level, origins: Sequence[tuple[int, int]]) -> bool:
    sides = (level.block_width, level.block_height)
    corners = np.array(origins)
    return all(
        (plan.tile_px * ratio) % side == 0 and not ((corners[:, axis] * ratio) % side).any()
        for axis, (ratio, side) in enumerate(zip(plan.ratio, sides, strict=True))
    )
