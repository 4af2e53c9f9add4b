"""From planned fields to rows of Parquet, in bounded memory: what tiling spends its hours on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from schemas.records import Field, Slide, Tile
from tasks.store import ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.fields import DroppedField, PlannedField, tile_boxes_px0
from tasks.tiling.maker import TileMaker
from tasks.tiling.memory import Boxes, plan_memory
from tasks.tiling.planes import PixelCache
from tasks.tiling.readers.protocol import SlideGeometry, SlideReader
from tasks.tiling.rows import TileTables
from tasks.tiling.scales import ScalePlan
from tasks.tiling.spool import Spool
from tasks.tiling.sweep import MadeField, Sweep


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
    boxes = [tile_boxes_px0([field.tiles[rank] for field in planned]) for rank in range(len(scales))]
    memory = plan_memory(reader.geometry, scales, boxes, config.cache_mib << 20)
    maker = _maker(reader, scales, planned, boxes, config, memory.cache_bytes)
    copied = maker.copied(planned)
    made: list[MadeField | PlannedField] = list(itertools.compress(planned, copied))
    dropped: list[DroppedField] = []
    with Spool(out.path("tiles.parquet").parent) as spool:
        sweep = Sweep(maker, config.thresholds, spool)
        others = list(itertools.compress(planned, ~copied))
        band = _band_px0(reader.geometry, scales[0])
        for result in sweep.run(others, [each[~copied] for each in boxes], band, memory.strip_px0):
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
    cache_bytes: int,
) -> TileMaker:
    cache = PixelCache(cache_bytes)
    maker = TileMaker(reader, scales, boxes, config=config, cache=cache)
    if config.normalisation == "none":
        return maker
    from tasks.tiling.stain import fit_normaliser

    normalise = fit_normaliser(config.normalisation, [field.tiles[0] for field in planned], maker, reader)
    return TileMaker(reader, scales, boxes, config=config, cache=cache, normalise=normalise)


def _band_px0(geometry: SlideGeometry, finest: ScalePlan) -> int:
    level = geometry.levels[finest.level]
    return max(round(level.block_height * level.downsample_y), finest.extent_px0[1])
