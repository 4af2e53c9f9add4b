"""One slide to one shard: `slides`, `tiles`, `fields`, `rejections` and `overlay.png`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from schemas.records import Field, Rejection, Slide, Tile
from tasks.store import ROW_GROUP, ShardWriter
from tasks.tiling.centres import plan_fields
from tasks.tiling.config import TilingConfig
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.fields import DroppedField, FieldPlanner, PlannedField
from tasks.tiling.hashing import slide_files, slide_sha256, stamp
from tasks.tiling.maker import TileMaker
from tasks.tiling.manifest import SlideSource, is_url
from tasks.tiling.overlay import draw_overlay
from tasks.tiling.overview import read_overview
from tasks.tiling.planes import PixelCache
from tasks.tiling.readers.choice import ReaderChoice, open_reader
from tasks.tiling.readers.protocol import SlideGeometry, SlideReader
from tasks.tiling.rows import field_record, slide_facts, slide_record, tile_facts, tile_records
from tasks.tiling.scales import ScalePlan, plan_scales, slide_mpp
from tasks.tiling.sweep import MadeField, sweep

OVERLAY = "overlay.png"
_CACHE_MIN_BYTES = 64 << 20


def tile_slide(source: SlideSource, config: TilingConfig, out: ShardWriter) -> None:
    """Write the fields of one slide and the reason for every centre that becomes none.

    A slide that cannot be used is one rejection and no tiles, never an exception.

    Determinism: equal slides, configuration and code give equal bytes.
    """
    try:
        before = _state(source)
        reader, choice = open_reader(source.location, config.reader)
        try:
            _tile(source, config, out, reader, choice)
        finally:
            reader.close()
        if _state(source) != before:
            raise RefusedSlideError("changed while it was read", reason="changed_while_read", remedy="run again")
    except RefusedSlideError as refused:
        _write_refusal(source, refused, out)


def _state(source: SlideSource) -> tuple[int, int] | None:
    """Return size and modification time, after making sure that the content is still what was hashed."""
    if is_url(source.uri):
        return None
    try:
        state = stamp(slide_files(source.path))
        known = source.size_bytes, source.modified_ns
        if state != known and slide_sha256(source.path) != source.sha256:
            raise RefusedSlideError("changed since it was listed", reason="changed_while_read", remedy="run again")
    except FileNotFoundError as error:
        raise RefusedSlideError("has gone", reason="missing_file") from error
    except OSError as error:
        raise RefusedSlideError(f"cannot be read: {error.strerror}", reason="unreadable") from error
    return state


def _tile(
    source: SlideSource, config: TilingConfig, out: ShardWriter, reader: SlideReader, choice: ReaderChoice
) -> None:
    geometry = reader.geometry
    mpp = slide_mpp(geometry, source.mpp)
    slide = slide_record(source, geometry, mpp)
    overview = read_overview(reader, mpp, config.mask_mpp)
    scales = plan_scales(geometry, mpp, config)
    planner = FieldPlanner(slide.slide_id, geometry, scales, overview, config)
    if not overview.tissue.mask.any():
        draw_overlay(out.path(OVERLAY), overview, slide)
        raise RefusedSlideError("shows no tissue", reason="no_tissue")
    planned, dropped = plan_fields(planner, source, config.centres)
    if not planned and not dropped:
        raise RefusedSlideError("holds no tile's worth of tissue", reason="no_tissue")
    maker = _maker(reader, scales, planned, config, PixelCache(_cache_bytes(geometry, scales, config)))
    finest = scales[0]
    block_px0 = round(geometry.levels[finest.level].block_height * geometry.levels[finest.level].downsample_y)
    band_px0 = max(block_px0, finest.extent_px0[1])
    made = sweep(planned, maker, reader, config.thresholds, band_px0)
    fields, late, counts = _write_tiles(slide, made, config, out)
    dropped += late
    out.write_records("slides", [slide], Slide)
    out.write_records("fields", fields, Field)
    rejections = [field.rejection() for field in dropped]
    out.count(items_in=len(fields) + len(dropped), items_out=len(fields), rejections=rejections)
    out.facts.update(slide_facts(geometry, mpp, choice), **tile_facts(scales, overview, counts))
    draw_overlay(out.path(OVERLAY), overview, slide, fields=fields, dropped=dropped, scales=scales)


def _cache_bytes(geometry: SlideGeometry, scales: tuple[ScalePlan, ...], config: TilingConfig) -> int:
    """Return what the sweep needs: the band that its tiles lie in, twice over, within the limit of the configuration.

    Less memory is faster too: pages are touched once and reused.
    """
    bands = []
    for plan in scales:
        level = geometry.levels[plan.level]
        tile_height = config.tile_px * plan.ratio[1] if plan is scales[0] else config.tile_px
        bands.append(level.width * 4 * (tile_height + 2 * level.block_height))
    return min(config.cache_mib << 20, max(_CACHE_MIN_BYTES, int(2 * max(bands))))


def _maker(
    reader: SlideReader,
    scales: tuple[ScalePlan, ...],
    fields: list[PlannedField],
    config: TilingConfig,
    cache: PixelCache,
) -> TileMaker:
    maker = TileMaker(reader, scales, fields, config=config, cache=cache)
    if config.normalisation == "none":
        return maker
    from tasks.tiling.stain import fit_normaliser

    normalise = fit_normaliser(config.normalisation, [field.tiles[0] for field in fields], maker, reader)
    return TileMaker(reader, scales, fields, config=config, cache=cache, normalise=normalise)


def _write_tiles(
    slide: Slide, made: Iterable[MadeField | DroppedField], config: TilingConfig, out: ShardWriter
) -> tuple[list[Field], list[DroppedField], Counter[str]]:
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
            counts.update(f"{tile.scale} {tile.reader}" for tile in tiles)
            fields.append(field_record(slide, result, tiles))
            rows += tiles
            while len(rows) >= ROW_GROUP:
                append(rows[:ROW_GROUP])
                del rows[:ROW_GROUP]
        append(rows)
    return fields, dropped, counts


def _write_refusal(source: SlideSource, refused: RefusedSlideError, out: ShardWriter) -> None:
    for name, record in (("slides", Slide), ("tiles", Tile), ("fields", Field)):
        out.write_records(name, [], record)
    out.facts.clear()
    if refused.reason != "no_tissue":
        out.path(OVERLAY).unlink(missing_ok=True)
    row = Rejection(item_id=source.name, stage="tiling", reason=refused.reason, detail=f"{source.name} {refused}")
    out.count(items_in=1, items_out=0, rejections=[row])
