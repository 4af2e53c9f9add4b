"""What a tiled slide says: rows of the tables `slides`, `tiles` and `fields`, and the shard's facts."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

from schemas.ids import ID_HEX, content_id
from schemas.records import Field, Slide, Tile
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import SlideSource
from tasks.tiling.overview import Overview
from tasks.tiling.readers.choice import ReaderChoice
from tasks.tiling.readers.protocol import SlideGeometry
from tasks.tiling.scales import ScalePlan
from tasks.tiling.sweep import MadeField


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


def tile_records(slide_id: str, made: MadeField, config: TilingConfig) -> list[Tile]:
    """Return the rows of the table `tiles` of one field, the coarsest first."""
    records = []
    encoding = f"{config.tile_px},{config.jpeg_quality},{config.jpeg_subsampling},{config.normalisation}"
    for planned in reversed(made.field.tiles):
        image = made.images[planned.scale]
        x, y, width, height = planned.box_px0
        place = f"{slide_id}|{x},{y},{width},{height}"
        how = "passthrough" if image.reader == "passthrough" else encoding
        records.append(
            Tile(
                tile_id=f"tile_{sha256(f'{place}|{planned.scale}|{how}'.encode()).hexdigest()[:ID_HEX]}",
                slide_id=slide_id,
                field_id=made.field.field_id,
                scale=planned.scale,
                mpp=round(planned.plan.mpp, 6),
                x_px0=x,
                y_px0=y,
                box_width_px0=width,
                box_height_px0=height,
                width_px=config.tile_px,
                height_px=config.tile_px,
                tissue_fraction=round(planned.tissue, 4),
                inside_fraction=round(planned.inside, 4),
                focus=round(image.focus, 3),
                pen_fraction=round(planned.pen, 4),
                fold_fraction=round(planned.folds, 4),
                reader=image.reader,
                image=image.jpeg,
            )
        )
    return records


def field_record(slide: Slide, made: MadeField, tiles: list[Tile]) -> Field:
    """Return the row of the table `fields`."""
    ids = {f"{tile.scale}_tile_id": tile.tile_id for tile in tiles}
    return Field(
        field_id=made.field.field_id,
        slide_id=slide.slide_id,
        patient_id=slide.patient_id,
        centre_x_px0=made.field.centre_px0[0],
        centre_y_px0=made.field.centre_px0[1],
        organ=slide.organ,
        low_tile_id=ids.get("low_tile_id"),
        mid_tile_id=ids.get("mid_tile_id"),
        high_tile_id=ids.get("high_tile_id"),
    )


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
