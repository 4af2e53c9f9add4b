"""Every format that OpenSlide knows, through OpenSlide."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.errors import SlideReadError
from tasks.tiling.failures import RefusedSlideError, without_folder
from tasks.tiling.readers.protocol import WHITE, Level, Pixels, SlideGeometry, true_downsample

BLOCK_PX = 512  # where the stored tile's size is unknown or odd; OpenSlide is as fast (65 Mpx/s) at any block size


def open_openslide(location: str) -> Any:
    """Return the slide as OpenSlide opens it.

    Raises:
        RefusedSlideError: it is not a slide that OpenSlide knows, or it is damaged.
    """
    import openslide

    try:
        return openslide.OpenSlide(location)
    except openslide.OpenSlideUnsupportedFormatError as error:
        raise RefusedSlideError("is not a slide that OpenSlide knows", reason="not_a_slide") from error
    except openslide.OpenSlideError as error:
        raise RefusedSlideError(f"cannot be opened: {without_folder(error, location)}", reason="unreadable") from error
    except OSError as error:
        raise RefusedSlideError(f"cannot be opened: {error.strerror}", reason="unreadable") from error


def block_size(tile: int) -> int:
    """Return the stored tile's side, so that damage to one costs no other, or 512 where it is odd."""
    return tile if 64 <= tile <= 2 * BLOCK_PX else BLOCK_PX


def _number(properties: Mapping[str, str], name: str) -> float | None:
    try:
        return float(properties[name])
    except (KeyError, ValueError, TypeError):
        return None


def read_geometry(slide: Any, prefix: str = "openslide") -> SlideGeometry:
    """Return the geometry of a slide opened by OpenSlide or tiffslide (same interface, other property prefix)."""
    properties = {key: str(value) for key, value in slide.properties.items()}
    width0, height0 = slide.level_dimensions[0]
    levels = []
    for index, (width, height) in enumerate(slide.level_dimensions):
        tile_width = int(_number(properties, f"{prefix}.level[{index}].tile-width") or 0)
        tile_height = int(_number(properties, f"{prefix}.level[{index}].tile-height") or 0)
        levels.append(
            Level(
                width=width,
                height=height,
                downsample_x=true_downsample(width0, width),
                downsample_y=true_downsample(height0, height),
                block_width=block_size(tile_width),
                block_height=block_size(tile_height),
            )
        )
    bounds = [_number(properties, f"{prefix}.bounds-{side}") for side in ("x", "y", "width", "height")]
    profile = _icc_profile(slide)
    return SlideGeometry(
        vendor=properties.get(f"{prefix}.vendor", "unknown"),
        levels=tuple(levels),
        mpp_x=_number(properties, f"{prefix}.mpp-x"),
        mpp_y=_number(properties, f"{prefix}.mpp-y"),
        objective_power=_number(properties, f"{prefix}.objective-power"),
        icc_sha256=hashlib.sha256(profile).hexdigest() if profile else None,
        bounds=_inside(bounds, width0, height0),
    )


def _icc_profile(slide: Any) -> bytes | None:
    profile = getattr(slide, "color_profile", None)
    return profile.tobytes() if profile is not None else None


def _inside(bounds: list[float | None], width: int, height: int) -> tuple[int, int, int, int]:
    if any(side is None for side in bounds):
        return (0, 0, width, height)
    x, y, box_width, box_height = (int(side or 0) for side in bounds)
    x, y = min(max(x, 0), width), min(max(y, 0), height)
    return (x, y, min(box_width, width - x), min(box_height, height - y))


class OpenSlideReader:
    """Blocks through `read_region`; pixels that were never scanned are white."""

    name = "openslide"

    def __init__(self, location: str) -> None:
        self._location = location
        self._slide = open_openslide(location)
        self.geometry = read_geometry(self._slide)

    def block(self, level: int, column: int, row: int) -> Pixels:
        """Return one block, clipped to the level; shape (H, W, 4)."""
        import openslide

        place = self.geometry.levels[level]
        x, y = column * place.block_width, row * place.block_height
        width, height = min(place.block_width, place.width - x), min(place.block_height, place.height - y)
        own = self._slide.level_downsamples[level]  # OpenSlide goes back with this one, the mean of both axes
        corner = (round(x * own), round(y * own))
        try:
            image = self._slide.read_region(corner, level, (width, height))
        except openslide.OpenSlideError as error:
            problem = without_folder(error, self._location)
            raise SlideReadError(f"level {level}: block ({column}, {row}) cannot be read: {problem}") from error
        return on_white(np.asarray(image))

    def native_jpeg(self, level: int, column: int, row: int) -> None:
        """OpenSlide does not hand out stored bytes."""
        return

    def reopen(self) -> None:
        """Open the slide anew: after one error, a handle of OpenSlide fails for ever."""
        self.close()
        self._slide = open_openslide(self._location)

    def close(self) -> None:
        """Release the slide."""
        self._slide.close()


def on_white(pixels: Pixels) -> Pixels:
    """Return RGBA pixels laid on white, with the padding byte at 255; shape (H, W, 4)."""
    alpha = pixels[..., 3]
    if alpha.min() == WHITE:
        return pixels
    share = alpha[..., None].astype(np.uint16)
    colours = pixels[..., :3].astype(np.uint16) * share + np.uint16(WHITE) * (WHITE - share)
    laid = np.full(pixels.shape, WHITE, dtype=np.uint8)
    laid[..., :3] = (colours + WHITE // 2) // WHITE
    return laid
