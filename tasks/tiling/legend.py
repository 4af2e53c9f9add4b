"""The panel beside a slide's overlay: what the marks mean, and how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from schemas.records import Field, Slide
from schemas.rejection import Reason
from tasks.tiling.fields import DroppedField
from tasks.tiling.overview import Overview
from tasks.tiling.scales import ScalePlan

Colour = tuple[int, int, int]

_PANEL_PX = 300
_PANEL_HEIGHT_PX = 640
INK: Colour = (38, 42, 51)
GREEN: Colour = (0, 158, 115)
BLUE: Colour = (40, 90, 200)
_GREY: Colour = (110, 115, 125)
# Okabe and Ito, "Color Universal Design", 2008: told apart by the colour-blind too.
REASONS: dict[Reason, tuple[Colour, str]] = {
    "background": ((190, 190, 190), "background"),
    "low_tissue": ((150, 150, 150), "too little tissue"),
    "outside_slide": ((86, 180, 233), "outside the slide"),
    "blurred": ((204, 121, 167), "blurred"),
    "pen_ink": ((0, 114, 178), "pen ink"),
    "fold": ((213, 94, 0), "fold"),
    "blank": ((240, 228, 66), "blank"),
    "region_unreadable": ((0, 0, 0), "unreadable"),
}


def draw_cross(draw: ImageDraw.ImageDraw, x: float, y: float, colour: Colour, size: float = 5.0) -> None:
    """Draw a cross, on white where it is large enough."""
    for reach, width, ink in ((size + 1, 5, (255, 255, 255)), (size, 3, colour)) if size > 3 else ((size, 1, colour),):
        draw.line((x - reach, y - reach, x + reach, y + reach), fill=ink, width=width)
        draw.line((x - reach, y + reach, x + reach, y - reach), fill=ink, width=width)


def with_panel(
    canvas: Image.Image,
    slide: Slide,
    overview: Overview,
    *,
    fields: Sequence[Field],
    dropped: Sequence[DroppedField],
    scales: Sequence[ScalePlan],
    scale_x: float,
) -> Image.Image:
    """Return the overlay's picture with the panel to its right and a scale bar in its lower left corner."""
    whole = Image.new("RGB", (canvas.width + _PANEL_PX, max(canvas.height, _PANEL_HEIGHT_PX)), (255, 255, 255))
    whole.paste(canvas, (0, 0))
    draw = ImageDraw.Draw(whole)
    x, y = canvas.width + 20, 18
    draw.text((x, y), _short(slide.name), fill=INK, font=_font(20))
    lines = [
        f"{slide.organ or 'organ not given'}, {slide.stain}",
        f"{slide.width_px0:,} x {slide.height_px0:,} px",
        f"{slide.mpp_x:.4g} um/px, {overview.tissue.mask.mean():.0%} tissue",
    ]
    for number, line in enumerate(lines):
        draw.text((x, y + 32 + 20 * number), line, fill=INK, font=_font(14))
    y += 112
    draw.line((x, y + 9, x + 22, y + 9), fill=BLUE, width=3)
    draw.text((x + 32, y), "edge of tissue", fill=INK, font=_font(14))
    y = _field_legend(draw, x, y + 28, slide, fields, scales)
    _reason_legend(draw, x, y, dropped)
    _scale_bar(draw, slide, scale_x, canvas.height)
    return whole


def _field_legend(
    draw: ImageDraw.ImageDraw, x: int, y: int, slide: Slide, fields: Sequence[Field], scales: Sequence[ScalePlan]
) -> int:
    """Draw one field's tiles to scale, the coarsest as wide as the panel allows; return where the next line goes."""
    draw.rectangle((x + 4, y + 2, x + 18, y + 16), outline=GREEN, width=3)
    draw.text((x + 32, y), f"{len(fields)} fields" if len(fields) != 1 else "1 field", fill=INK, font=_font(14))
    if not scales:
        return y + 34
    y += 34
    for plan in reversed(scales):
        extent_um = plan.extent_px0[0] * slide.mpp_x
        words = f"{plan.scale}: {plan.mpp:.3g} um/px, {extent_um:,.0f} um wide"
        draw.text((x, y), words, fill=INK, font=_font(13))
        y += 20
    side, widest = 110, scales[-1].extent_px0[0]
    for rank, plan in enumerate(scales):
        half = max(2.0, side / 2 * plan.extent_px0[0] / widest)
        box = (x + side / 2 - half, y + 8 + side / 2 - half, x + side / 2 + half, y + 8 + side / 2 + half)
        draw.rectangle(box, outline=GREEN, width=3 if rank == 0 and half > 4 else 1)
    draw.text((x + side + 12, y + side / 2 - 8), "one field, tiles", fill=_GREY, font=_font(13))
    draw.text((x + side + 12, y + side / 2 + 10), "in proportion", fill=_GREY, font=_font(13))
    return y + side + 28


def _reason_legend(draw: ImageDraw.ImageDraw, x: int, y: int, dropped: Sequence[DroppedField]) -> None:
    counts = Counter(centre.reason for centre in dropped)
    title = f"{len(dropped) or 'no'} {'centre' if len(dropped) < 2 else 'centres'} dropped"
    draw.text((x, y), title, fill=INK, font=_font(15))
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        y += 24
        colour, words = REASONS.get(reason, (INK, reason))
        draw_cross(draw, x + 10, y + 9, colour)
        draw.text((x + 32, y), f"{count:,}  {words}", fill=INK, font=_font(14))


def _scale_bar(draw: ImageDraw.ImageDraw, slide: Slide, scale_x: float, height: int) -> None:
    wanted_um = 120 / scale_x * slide.mpp_x
    length_um = next(step for step in (5000, 2000, 1000, 500, 200, 100, 50, 20, 10, 5, 1) if step <= max(1, wanted_um))
    length = length_um / slide.mpp_x * scale_x
    words = f"{length_um // 1000} mm" if length_um >= 1000 else f"{length_um} um"
    draw.rectangle((14, height - 46, 26 + max(length, 60), height - 10), fill=(255, 255, 255))
    draw.rectangle((20, height - 20, 20 + length, height - 15), fill=INK)
    draw.text((20, height - 42), words, fill=INK, font=_font(15))


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:15]}...{name[-8:]}"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
