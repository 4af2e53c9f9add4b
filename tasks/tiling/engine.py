"""From planned fields to rows of Parquet, in bounded memory: what tiling spends its hours on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from schemas.records import Field, Slide, Tile
from tasks.store import ROW_GROUP, ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.fields import DroppedField, PlannedField
from tasks.tiling.maker import TileMaker
from tasks.tiling.planes import PixelCache
from tasks.tiling.readers.protocol import Level, SlideGeometry, SlideReader
from tasks.tiling.rows import field_record, tile_records
from tasks.tiling.scales import ScalePlan
from tasks.tiling.sweep import MadeField, sweep

CACHE_MIN_BYTES = 2 << 20


def make_fields(
    reader: SlideReader, scales: Sequence[ScalePlan], planned: Sequence[PlannedField], config: TilingConfig
) -> Iterator[MadeField | DroppedField]:
    """Make the tiles of planned fields in one pass over the slide; each field comes out once, complete or dropped.

    Args:
        reader: the open slide.
        scales: how tiles are made, the finest first.
        planned: fields in any order; they come out in the order of the sweep.
        config: encoding, thresholds and the bound on memory.

    Raises:
        RefusedSlideError: normalisation is asked for and there is nothing to fit it on.

    Determinism: equal slides, fields and configuration give equal bytes in equal order.
    """
    cache = PixelCache(cache_bytes(reader.geometry, scales, planned, config))
    maker = TileMaker(reader, scales, planned, config=config, cache=cache)
    if config.normalisation != "none":
        from tasks.tiling.stain import fit_normaliser

        normalise = fit_normaliser(config.normalisation, [field.tiles[0] for field in planned], maker, reader)
        maker = TileMaker(reader, scales, planned, config=config, cache=cache, normalise=normalise)
    level = reader.geometry.levels[scales[0].level]
    band_px0 = max(round(level.block_height * level.downsample_y), scales[0].extent_px0[1])
    return sweep(planned, maker, reader, config.thresholds, band_px0)


def cache_bytes(
    geometry: SlideGeometry, scales: Sequence[ScalePlan], planned: Sequence[PlannedField], config: TilingConfig
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
        boxes = [field.tiles[rank].box_px0 for field in planned]
        span_px0 = max(box[0] + box[2] for box in boxes) - min(box[0] for box in boxes)
        width = min(level.width, span_px0 / level.downsample_x + 2 * level.block_width)
        tile_height = config.tile_px * plan.ratio[1] if rank == 0 else config.tile_px
        bands.append(width * 4 * (tile_height + 2 * level.block_height))
    return min(config.cache_mib << 20, max(CACHE_MIN_BYTES, int(2 * max(bands))))


def _whole_blocks(plan: ScalePlan, level: Level, origins: Sequence[tuple[int, int]]) -> bool:
    sides = (level.block_width, level.block_height)
    return all(
        (plan.tile_px * ratio) % side == 0 and all((origin[axis] * ratio) % side == 0 for origin in origins)
        for axis, (ratio, side) in enumerate(zip(plan.ratio, sides, strict=True))
    )


def write_fields(
    slide: Slide, made: Iterable[MadeField | DroppedField], config: TilingConfig, out: ShardWriter
) -> tuple[list[Field], list[DroppedField], Counter[str]]:
    """Write the table `tiles` as fields come; memory holds one row group.

    Returns:
        The rows of the table `fields`, the fields dropped, and the number of tiles by scale and reader.
    """
    fields: list[Field] = []
    dropped: list[DroppedField] = []
    counts: Counter[str] = Counter()
    rows: list[Tile] = []
    with out.stream("tiles", Tile) as append:
        for result in made:
            if isinstance(result, DroppedField):
                dropped.append(result)
                continue
            tiles = tile_records(slide.slide_id, result, config)
            for tile in tiles:
                counts[f"{tile.scale} {tile.reader}"] += 1
            fields.append(field_record(slide, result, tiles))
            rows += tiles
            while len(rows) >= ROW_GROUP:
                append(rows[:ROW_GROUP])
                del rows[:ROW_GROUP]
        append(rows)
    return fields, dropped, counts
