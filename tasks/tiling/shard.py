"""One slide to one shard: `slides`, `tiles`, `fields`, `rejections` and `overlay.png`."""

from __future__ import annotations

from schemas.origins import with_origin
from schemas.records import Field, Rejection, Slide, Tile
from tasks.store import ShardWriter
from tasks.tiling.centres import plan_fields
from tasks.tiling.config import TilingConfig
from tasks.tiling.engine import write_fields
from tasks.tiling.failures import RefusedSlideError, UnsteadySlideError
from tasks.tiling.fields import FieldPlanner
from tasks.tiling.hashing import slide_files, slide_sha256, stamp
from tasks.tiling.manifest import SlideSource, is_url
from tasks.tiling.overlay import draw_overlay
from tasks.tiling.overview import read_overview
from tasks.tiling.readers.choice import ReaderChoice, open_reader
from tasks.tiling.readers.protocol import SlideReader
from tasks.tiling.remote import remote_sha256, remote_state
from tasks.tiling.rows import slide_facts, slide_record, tile_facts
from tasks.tiling.scales import plan_scales, slide_mpp

OVERLAY = "overlay.png"


def tile_slide(source: SlideSource, config: TilingConfig, out: ShardWriter) -> None:
    """Write the fields of one slide and the reason for every centre that becomes none.

    A slide that cannot be used is one rejection and no tiles, never an exception.

    Determinism: equal slides, configuration and code give equal bytes.

    Raises:
        UnsteadySlideError: the slide went, changed or cannot be reached any more.
    """
    before = _state(source)
    try:
        reader, choice = open_reader(source.location, config.reader)
        try:
            _tile(source, config, out, reader, choice)
        finally:
            reader.close()
    except RefusedSlideError as refused:
        _write_refusal(source, refused, out)
    if _state(source) != before:
        raise UnsteadySlideError("changed while it was read")


def _state(source: SlideSource) -> tuple[int, int | str]:
    """Return size and modification time, or a store's version, of a content that is made sure to be what was hashed."""
    try:
        if is_url(source.uri):
            remote = remote_state(source.uri)
            if remote != (source.size_bytes, source.version):
                _check(source, remote_sha256(source.uri, remote, None))
            return remote
        source.path.open("rb").close()
        local = stamp(slide_files(source.path))
        if local != (source.size_bytes, source.modified_ns):
            _check(source, slide_sha256(source.path))
    except FileNotFoundError as error:
        raise UnsteadySlideError("has gone since it was listed") from error
    except OSError as error:
        raise UnsteadySlideError(f"cannot be read: {error.strerror}") from error
    return local


def _check(source: SlideSource, sha256: str) -> None:
    if sha256 != source.sha256:
        raise UnsteadySlideError("changed since it was listed")


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
    fields, late, counts = write_fields(reader, slide, scales, planned, config, out)
    dropped += late
    out.write_records("slides", [slide], Slide)
    out.write_records("fields", fields, Field)
    rejections = with_origin((field.rejection() for field in dropped), lambda _: slide.slide_id)
    out.count(items_in=len(fields) + len(dropped), items_out=len(fields), rejections=rejections)
    out.facts.update(slide_facts(geometry, mpp, choice), **tile_facts(scales, overview, counts))
    draw_overlay(out.path(OVERLAY), overview, slide, fields=fields, dropped=dropped, scales=scales)


def _write_refusal(source: SlideSource, refused: RefusedSlideError, out: ShardWriter) -> None:
    for name, record in (("slides", Slide), ("tiles", Tile), ("fields", Field)):
        out.write_records(name, [], record)
    out.facts.clear()
    if refused.reason != "no_tissue":
        out.path(OVERLAY).unlink(missing_ok=True)
    row = Rejection(item_id=source.name, stage="tiling", reason=refused.reason, detail=f"{source.name} {refused}")
    out.count(items_in=1, items_out=0, rejections=[row])
