"""One pass over the slide from top to bottom: each tile is made when the last of its pixels comes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.errors import SlideReadError
from schemas.records.shared import Scale
from tasks.tiling.config import Thresholds
from tasks.tiling.fields import DroppedField, PlannedField
from tasks.tiling.maker import TileImage, TileMaker
from tasks.tiling.readers.protocol import SlideReader


@dataclass(frozen=True, slots=True)
class MadeField:
    """A field with all its tiles."""

    field: PlannedField
    images: dict[Scale, TileImage]


def sweep(
    fields: Sequence[PlannedField], maker: TileMaker, reader: SlideReader, limits: Thresholds, band_px0: int
) -> Iterator[MadeField | DroppedField]:
    """Make the tiles of all fields; each field comes out once, complete or dropped.

    Tiles are made in the order of their lower edges (in bands of `band_px0` level-0 pixels) and, in a band, of their
    right edges. So decoded pixels are needed again soon or never, whatever the scale, and a field's finest tile comes
    before its coarser ones, which are not read where the finest is dropped.

    Determinism: the order depends on the boxes alone.
    """
    jobs = []
    for number, field in enumerate(fields):
        for rank, tile in enumerate(field.tiles):
            x, y, width, height = tile.box_px0
            jobs.append(((y + height) // band_px0, x + width, rank, number))
    jobs.sort()
    pending: dict[int, dict[Scale, TileImage]] = {}
    dropped: set[int] = set()
    for _, _, rank, number in jobs:
        if number in dropped:
            continue
        field = fields[number]
        found = _make(field, rank, maker, reader, limits)
        if isinstance(found, DroppedField):
            dropped.add(number)
            pending.pop(number, None)
            yield found
            continue
        images = pending.setdefault(number, {})
        images[field.tiles[rank].scale] = found
        if len(images) == len(field.tiles):
            yield MadeField(field, pending.pop(number))


def _make(
    field: PlannedField, rank: int, maker: TileMaker, reader: SlideReader, limits: Thresholds
) -> TileImage | DroppedField:
    tile = field.tiles[rank]
    try:
        image = maker.make(tile)
    except SlideReadError as error:
        reader.reopen()
        detail = f"{tile.scale} tile: {error}"
        return DroppedField(field.field_id, field.centre_px0, "region_unreadable", detail)
    if rank == 0 and image.contrast < limits.blank_std_min:
        detail = f"grey levels of the {tile.scale} tile deviate by {image.contrast:.1f}"
        return DroppedField(field.field_id, field.centre_px0, "blank", detail)
    if rank == 0 and image.focus < limits.focus_min:
        detail = f"focus of the {tile.scale} tile is {image.focus:.1f}"
        return DroppedField(field.field_id, field.centre_px0, "blurred", detail)
    return image
