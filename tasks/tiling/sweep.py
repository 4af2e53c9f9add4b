"""One pass over the slide from top to bottom: each tile is made when the last of its pixels comes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.tiling.config import Thresholds
from tasks.tiling.fields import DroppedField, PlannedField, PlannedTile
from tasks.tiling.maker import TileMaker
from tasks.tiling.spool import KeptImage, Spool


@dataclass(frozen=True, slots=True)
class MadeField:
    """A field with the images of all its tiles, the finest first."""

    field: PlannedField
    images: tuple[KeptImage, ...]

    @property
    def field_id(self) -> str:
        """Id of the field."""
        return self.field.field_id

    @property
    def tiles(self) -> tuple[PlannedTile, ...]:
        """Tiles of the field, the finest first."""
        return self.field.tiles

    @property
    def centre_px0(self) -> tuple[int, int]:
        """Centre of the field in level-0 pixels."""
        return self.field.centre_px0


@dataclass(frozen=True, slots=True)
class Sweep:
    """What makes the tiles of one slide."""

    maker: TileMaker
    limits: Thresholds
    spool: Spool

    def run(
        self, fields: Sequence[PlannedField], boxes: Sequence[NDArray[np.int64]], band_px0: int, strip_px0: int
    ) -> Iterator[MadeField | DroppedField]:
        """Make the tiles of all fields; each field comes out once, complete or dropped.

        Tiles are made strip by strip, in the order of their lower edges (in bands of `band_px0` level-0 pixels) and, in
        a band, of their right edges. So decoded pixels are needed again soon or never, whatever the scale, and a
        field's finest tile comes before its coarser ones, which are not read where the finest is dropped.

        Args:
            fields: what to make.
            boxes: for each scale, the finest first, the fields' boxes (x, y, width, height), shape (N, 4).
            band_px0: height of a band.
            strip_px0: width of a strip.

        Determinism: the order depends on the boxes alone.
        """
        pending: dict[int, dict[int, KeptImage]] = {}
        dropped: set[int] = set()
        for rank, number in order(boxes, band_px0, strip_px0):
            if number in dropped:
                continue
            found = self._make(fields[number], rank)
            if isinstance(found, DroppedField):
                dropped.add(number)
                pending.pop(number, None)
                yield found
                continue
            images = pending.setdefault(number, {})
            images[rank] = found
            if len(images) == len(boxes):
                del pending[number]
                yield MadeField(fields[number], tuple(images[each] for each in range(len(boxes))))

    def _make(self, field: PlannedField, rank: int) -> KeptImage | DroppedField:
        image = self.maker.make_or_drop(field, rank)
        if isinstance(image, DroppedField):
            return image
        tile = field.tiles[rank]
        if rank == 0 and image.contrast < self.limits.blank_std_min:
            detail = f"grey levels of the {tile.scale} tile deviate by {image.contrast:.1f}"
            return DroppedField(field.field_id, field.centre_px0, "blank", detail)
        if rank == 0 and image.focus < self.limits.focus_min:
            detail = f"focus of the {tile.scale} tile is {image.focus:.1f}"
            return DroppedField(field.field_id, field.centre_px0, "blurred", detail)
        return self.spool.keep(image.jpeg, image.reader, image.focus)


def order(boxes: Sequence[NDArray[np.int64]], band_px0: int, strip_px0: int) -> Iterator[tuple[int, int]]:
    """Yield (rank of the scale, number of the field) of every tile in the order of the sweep."""
    count = len(boxes[0]) if boxes else 0
    every = np.concatenate(boxes) if boxes else np.empty((0, 4), dtype=np.int64)
    rank, number = np.divmod(np.arange(len(every)), max(count, 1))
    right, bottom = every[:, 0] + every[:, 2], every[:, 1] + every[:, 3]
    sequence = np.lexsort((number, rank, right, bottom // band_px0, right // strip_px0))
    yield from zip(rank[sequence].tolist(), number[sequence].tolist(), strict=True)
