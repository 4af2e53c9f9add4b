"""Slides behind fsspec urls (`s3://`, `https://`), and TIFFs that OpenSlide does not know, through tiffslide."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from schemas.errors import SlideReadError
from tasks.tiling.failures import RefusedSlideError, without_folder
from tasks.tiling.readers.openslide_reader import read_geometry
from tasks.tiling.readers.protocol import WHITE, Pixels
from tasks.tiling.remote import LIBRARY_FAULTS as _FAULTS
from tasks.tiling.remote import patiently

Result = TypeVar("Result")


def open_tiffslide(location: str) -> Any:
    """Return the slide as tiffslide opens it.

    Raises:
        RefusedSlideError: it is not a slide that tiffslide knows, it is missing, or it is damaged.
    """
    import tiffslide

    try:
        return _waiting(location, lambda: tiffslide.TiffSlide(location))
    except FileNotFoundError as error:
        raise RefusedSlideError("does not exist", reason="missing_file") from error
    except (tiffslide.TiffFileError, *_FAULTS) as error:
        raise RefusedSlideError("is not a slide that tiffslide knows", reason="not_a_slide") from error


def _waiting(location: str, action: Callable[[], Result]) -> Result:
    """Do something with a slide; with a remote one again, if its store did not answer."""
    return patiently(location, action) if "://" in location else action()


def _least_corner(start: int, downsample: float) -> int:
    """Return the first level-0 pixel that tiffslide, which divides and cuts, takes to a level pixel."""
    corner = math.ceil(start * downsample)
    return corner + (int(corner / downsample) < start)


class TiffSlideReader:
    """Blocks through `TiffSlide.read_region`."""

    name = "tiffslide"

    def __init__(self, location: str) -> None:
        self._location = location
        self._slide = open_tiffslide(location)
        try:
            self.geometry = read_geometry(self._slide, prefix="tiffslide")
        except _FAULTS as error:
            self._slide.close()
            raise RefusedSlideError("is not a slide that tiffslide knows", reason="not_a_slide") from error

    def block(self, level: int, column: int, row: int) -> Pixels:
        """Return one block, clipped to the level; shape (H, W, 4)."""
        place = self.geometry.levels[level]
        x, y = column * place.block_width, row * place.block_height
        width, height = min(place.block_width, place.width - x), min(place.block_height, place.height - y)
        own = self._slide.level_downsamples[level]
        corner = (_least_corner(x, own), _least_corner(y, own))
        pixels = np.full((height, width, 4), WHITE, dtype=np.uint8)
        try:
            region = _waiting(
                self._location, lambda: self._slide.read_region(corner, level, (width, height), as_array=True)
            )
            pixels[..., :3] = region[..., :3]
        except _FAULTS as error:
            problem = without_folder(error, self._location)
            raise SlideReadError(f"level {level}: block ({column}, {row}) cannot be read: {problem}") from error
        return pixels

    def native_jpeg(self, level: int, column: int, row: int) -> None:
        """The stored bytes are not handed out by tiffslide."""
        return

    def reopen(self) -> None:
        """Open the slide anew."""
        self.close()
        self._slide = open_tiffslide(self._location)

    def close(self) -> None:
        """Release the slide."""
        self._slide.close()
