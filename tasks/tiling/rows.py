"""What a tiled slide says: rows of the tables `slides`, `tiles` and `fields`, and the shard's facts."""

from __future__ import annotations

import itertools
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
from tasks.tiling.fields import DroppedField, PlannedField, PlannedTile
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
    box: tuple[int, int, int, int]
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
        slide = self._slide
        for item in made:
            found = self._copied(item) if isinstance(item, PlannedField) else self._kept(item)
            if isinstance(found, DroppedField):
                self.dropped.append(found)
                continue
            x, y = item.centre_px0
            ids = {row.tile.scale: row.tile_id for row in found}
            self.fields.append(
                Field(
                    field_id=item.field_id,
                    slide_id=slide.slide_id,
                    patient_id=slide.patient_id,
                    centre_x_px0=x,
                    centre_y_px0=y,
                    low_tile_id=ids.get("low"),
                    mid_tile_id=ids.get("mid"),
                    high_tile_id=ids.get("high"),
                    organ=slide.organ,
                )
            )
            yield from sorted(found, key=lambda row: row.tile_id) if len(found) > 1 else found

    def _kept(self, made: MadeField) -> list[_Row]:
        return [
            self._row(made.field_id, tile, image.reader, image.focus, self._spool.read(image))
            for tile, image in zip(made.field.tiles, made.images, strict=True)
        ]

    def _copied(self, field: PlannedField) -> list[_Row] | DroppedField:
        rows = []
        for rank, tile in enumerate(field.tiles):
            image = self._maker.make_or_drop(field, rank)
            if isinstance(image, DroppedField):
                return image
            rows.append(self._row(field.field_id, tile, image.reader, image.focus, image.jpeg))
        return rows

    def _row(self, field_id: str, tile: PlannedTile, reader: str, focus: float, jpeg: bytes) -> _Row:
        box = x, y, width, height = tile.box_px0
        how = "passthrough" if reader == "passthrough" else self._encoding
        key = f"{self._slide.slide_id}|{x},{y},{width},{height}|{tile.scale}|{how}"
        tile_id = f"tile_{sha256(key.encode()).hexdigest()[:ID_HEX]}"
        return _Row(tile_id, field_id, tile, box, reader, focus, jpeg)

    def _table(self, rows: Sequence[_Row]) -> pa.Table:
        tiles = [row.tile for row in rows]
        self.counts.update(f"{row.tile.scale} {row.reader}" for row in rows)
        boxes = np.array([row.box for row in rows], dtype=np.int64)
        sides = np.full(len(rows), self._config.tile_px, dtype=np.int64)
        columns: dict[str, Any] = {
            "tile_id": [row.tile_id for row in rows],
            "slide_id": [self._slide.slide_id] * len(rows),
            "field_id": [row.field_id for row in rows],
            "scale": [tile.scale for tile in tiles],
            "mpp": [round(tile.plan.mpp, 6) for tile in tiles],
            "x_px0": boxes[:, 0],
            "y_px0": boxes[:, 1],
            "box_width_px0": boxes[:, 2],
            "box_height_px0": boxes[:, 3],
            "width_px": sides,
            "height_px": sides,
            "tissue_fraction": [round(tile.tissue, 4) for tile in tiles],
            "inside_fraction": [round(tile.inside, 4) for tile in tiles],
            "focus": [round(row.focus, 3) for row in rows],
            "pen_fraction": [round(tile.pen, 4) for tile in tiles],
            "fold_fraction": [round(tile.folds, 4) for tile in tiles],
            "reader": [row.reader for row in rows],
            "image": [row.jpeg for row in rows],
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
