"""One picture per slide: what was called tissue, where the fields lie, and which centres were dropped and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from schemas.records import Field, Slide
from tasks.tiling.fields import DroppedField
from tasks.tiling.legend import BLUE, GREEN, INK, REASONS, draw_cross, with_panel
from tasks.tiling.overview import Overview
from tasks.tiling.scales import ScalePlan

_LONG_SIDE_PX = 1000
_MANY_FIELDS = 300  # above it, frames of coarser tiles would hide the slide


def draw_overlay(
    path: Path,
    overview: Overview,
    slide: Slide,
    *,
    fields: Sequence[Field] = (),
    dropped: Sequence[DroppedField] = (),
    scales: Sequence[ScalePlan] = (),
) -> None:
    """Write the overlay of a slide as PNG; equal input gives equal bytes.

    Args:
        path: file to write.
        overview: the slide at mask resolution.
        slide: whose overlay it is.
        fields: fields made.
        dropped: centres that became no field.
        scales: how tiles are made, the finest first; the boxes of every field are drawn to scale.
    """
    height, width = overview.tissue.mask.shape
    zoom = _LONG_SIDE_PX / max(width, height)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    canvas = _slide_image(overview, size)
    draw = ImageDraw.Draw(canvas, "RGBA")
    scale_x = size[0] / (width * overview.step_px0[0])
    scale_y = size[1] / (height * overview.step_px0[1])
    for rank, plan in reversed(list(enumerate(scales[: 1 if len(fields) > _MANY_FIELDS else 2]))):
        ink, line = ((*GREEN, 255), 3) if rank == 0 else ((*GREEN, 120), 1)
        for field in fields:
            box = _around((field.centre_x_px0, field.centre_y_px0), plan.extent_px0, scale_x, scale_y)
            draw.rectangle(box, outline=ink, width=line if len(fields) <= _MANY_FIELDS else 1)
    reach = max(1.5, min(5.0, scales[0].extent_px0[0] * scale_x / 4)) if scales else 5.0
    for centre in dropped:
        colour = REASONS.get(centre.reason, (INK, ""))[0]
        draw_cross(draw, centre.centre_px0[0] * scale_x, centre.centre_px0[1] * scale_y, colour, reach)
    whole = with_panel(canvas, slide, overview, fields=fields, dropped=dropped, scales=scales, scale_x=scale_x)
    whole.save(path, compress_level=1)  # level 6 takes twice the time and saves nothing on tissue


def _slide_image(overview: Overview, size: tuple[int, int]) -> Image.Image:
    from scipy import ndimage

    colours = overview.pixels[..., :3].astype(np.float32)
    outside = ~overview.tissue.mask
    colours[outside] = colours[outside] * 0.55 + 255 * 0.45
    image = Image.fromarray(colours.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    mask = Image.fromarray(overview.tissue.mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    filled = np.asarray(mask) > 127
    edge = filled ^ ndimage.binary_erosion(filled, iterations=2, border_value=1)
    pixels = np.array(image)
    pixels[edge] = BLUE
    return Image.fromarray(pixels)


def _around(
    centre: tuple[int, int], extent: tuple[int, int], scale_x: float, scale_y: float
) -> tuple[float, float, float, float]:
    half_x, half_y = extent[0] / 2, extent[1] / 2
    return (
        (centre[0] - half_x) * scale_x,
        (centre[1] - half_y) * scale_y,
        (centre[0] + half_x) * scale_x,
        (centre[1] + half_y) * scale_y,
    )
