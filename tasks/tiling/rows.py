"""What a tiled slide says: rows of the tables `slides`, `tiles` and `fields`, and the shard's facts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.arrow import schema_of
from schemas.ids import ID_HEX, content_id
from schemas.records import Field, Slide, Tile
from tasks.store import ROW_GROUP
from tasks.tiling.config import TilingConfig
from tasks.tiling.fields import DroppedField, PlannedField, PlannedTile, tile_boxes_px0
from tasks.tiling.maker import TileMaker
from tasks.tiling.manifest import SlideSource
from tasks.tiling.overview import Overview
from tasks.tiling.readers.choice import ReaderChoice
from tasks.tiling.readers.protocol import SlideGeometry
from tasks.tiling.scales import ScalePlan
from tasks.tiling.spool import Spool
from tasks.tiling.sweep import MadeField


class _Row(NamedTuple):
    tile_id: str
    field_id: str
    tile: PlannedTile
    box: list[int]
    reader: str
    focus: float
    jpeg: bytes


def slide_record(source: SlideSource, geometry: SlideGeometry, mpp: tuple[float, float]) -> Slide:
    """Return the row of the table `slides`."""
    return Slide(
        slide_id=content_id("slide", source.patient_id, source.sha256),
        patient_id=source.patient_id,
        name=source.name,
        uri=source.uri,
        sha256=source.sha256,
        vendor=geometry.vendor,
        width_px0=geometry.width_px0,
        height_px0=geometry.height_px0,
        mpp_x=mpp[0],
        mpp_y=mpp[1],
        objective_power=geometry.objective_power,
        icc_sha256=geometry.icc_sha256,
        organ=source.organ,
        stain=source.stain,
        licence=source.licence,
    )


class TileTables:
    """The tables of one slide's fields and tiles, both sorted by their ids."""

    def __init__(self, slide: Slide, config: TilingConfig, maker: TileMaker, spool: Spool) -> None:
        self._slide, self._config, self._maker, self._spool = slide, config, maker, spool
        self._encoding = f"{config.tile_px},{config.jpeg_quality},{config.jpeg_subsampling},{config.normalisation}"
        self.fields: list[Field] = []
        """Rows of the table `fields` written so far."""
        self.dropped: list[DroppedField] = []
        """Fields whose stored tiles could not be read."""
        self.counts: Counter[str] = Counter()
        """Number of tiles written so far by scale and reader."""

    def write(self, made: Iterable[MadeField | PlannedField]) -> Iterator[pa.Table]:
        """Yield the table `tiles` in groups of 256 rows; memory holds one group.

        Args:
            made: fields whose tiles are in the spool, and fields whose stored tiles are only copied: what is not
                looked at needs no order, so it goes from the slide to the table without a stop in between.
        """
        rows = self._rows(sorted(made, key=lambda item: item.field_id))
        while group := list(itertools.islice(rows, ROW_GROUP)):
            yield self._table(group)

    def _rows(self, made: Iterable[MadeField | PlannedField]) -> Iterator[_Row]:
        waiting = iter(made)
        while some := list(itertools.islice(waiting, ROW_GROUP)):
            boxes = iter(tile_boxes_px0([tile for item in some for tile in item.tiles]).tolist())
            for item in some:
                own = list(itertools.islice(boxes, len(item.tiles)))
                found = self._copied(item, own) if isinstance(item, PlannedField) else self._kept(item, own)
                if isinstance(found, DroppedField):
                    self.dropped.append(found)
                    continue
                self.fields.append(self._field(item, found))
                yield from sorted(found) if len(found) > 1 else found

    def _field(self, item: MadeField | PlannedField, rows: Sequence[_Row]) -> Field:
        ids = {row.tile.plan.scale: row.tile_id for row in rows}
        slide, (x, y) = self._slide, item.centre_px0
        by_scale = ids.get("low"), ids.get("mid"), ids.get("high")
        return Field(item.field_id, slide.slide_id, slide.patient_id, x, y, *by_scale, organ=slide.organ)

    def _kept(self, made: MadeField, boxes: Sequence[list[int]]) -> list[_Row]:
        return [
            self._row(made.field_id, tile, box, image.reader, image.focus, self._spool.read(image))
            for tile, box, image in zip(made.tiles, boxes, made.images, strict=True)
        ]

    def _copied(self, field: PlannedField, boxes: Sequence[list[int]]) -> list[_Row] | DroppedField:
        rows = []
        for rank, (tile, box) in enumerate(zip(field.tiles, boxes, strict=True)):
            image = self._maker.copy_or_drop(field, rank)
            if isinstance(image, DroppedField):
                return image
            rows.append(self._row(field.field_id, tile, box, "passthrough", math.nan, image))
        return rows

    def _row(self, field_id: str, tile: PlannedTile, box: list[int], reader: str, focus: float, jpeg: bytes) -> _Row:
        x, y, width, height = box
        how = "passthrough" if reader == "passthrough" else self._encoding
        key = f"{self._slide.slide_id}|{x},{y},{width},{height}|{tile.plan.scale}|{how}"
        tile_id = f"tile_{sha256(key.encode()).hexdigest()[:ID_HEX]}"
        return _Row(tile_id, field_id, tile, box, reader, focus, jpeg)

    def _table(self, rows: Sequence[_Row]) -> pa.Table:
        ids, field_ids, tiles, box_rows, readers, focus, images = zip(*rows, strict=True)
        plans = [tile.plan for tile in tiles]
        self.counts.update(f"{plan.scale} {reader}" for plan, reader in zip(plans, readers, strict=True))
        boxes = np.array(box_rows, dtype=np.int64)
        shares = np.round([(tile.tissue, tile.inside, tile.pen, tile.folds) for tile in tiles], 4)
        sides = np.full(len(rows), self._config.tile_px, dtype=np.int64)
        columns: dict[str, Any] = {
            "tile_id": ids,
            "slide_id": [self._slide.slide_id] * len(rows),
            "field_id": field_ids,
            "scale": [plan.scale for plan in plans],
            "mpp": np.round([plan.mpp for plan in plans], 6),
            "x_px0": boxes[:, 0],
            "y_px0": boxes[:, 1],
            "box_width_px0": boxes[:, 2],
            "box_height_px0": boxes[:, 3],
            "width_px": sides,
            "height_px": sides,
            "tissue_fraction": shares[:, 0],
            "inside_fraction": shares[:, 1],
            "focus": np.round(focus, 3),
            "pen_fraction": shares[:, 2],
            "fold_fraction": shares[:, 3],
            "reader": readers,
            "image": images,
        }
        schema = schema_of(Tile)
        return pa.Table.from_arrays([pa.array(columns[at.name], type=at.type) for at in schema], schema=schema)


def slide_facts(geometry: SlideGeometry, mpp: tuple[float, float], choice: ReaderChoice) -> dict[str, Any]:
    """Return what was read of the slide itself, and how."""
    return {
        "reader": choice.reader,
        "reader_reason": choice.reason,
        "vendor": geometry.vendor,
        "mpp": list(mpp),
        "bounds_px0": list(geometry.bounds),
        "levels": [[level.width, level.height, level.downsample_x, level.downsample_y] for level in geometry.levels],
    }


def tile_facts(scales: tuple[ScalePlan, ...], overview: Overview, counts: Counter[str]) -> dict[str, Any]:
    """Return how tiles were made, how many, and what the overview found."""
    return {
        "scales": {
            plan.scale: {"mpp": round(plan.mpp, 6), "level": plan.level, "ratio": list(plan.ratio)} for plan in scales
        },
        "tiles": dict(sorted(counts.items())),
        "tissue_share": round(float(overview.tissue.mask.mean()), 4),
        "pen_share": round(float(overview.pen.mask.mean()), 4),
        "fold_share": round(float(overview.folds.mask.mean()), 4),
        "damaged_share": round(float(overview.damaged.mask.mean()), 4),
    }
