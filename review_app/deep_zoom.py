"""Tiles of whole slides at every zoom, read from the slide itself."""

from __future__ import annotations

import contextlib
import io
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from openslide import OpenSlide, OpenSlideError
from PIL import Image

TILE_PX = 256
_MOST_SLIDES = 8
_MOST_BYTES = 64 << 20
_STRIP_PX = 4096  # side of what is read at once where a slide has no coarse level
_MOST_PX = 100_000_000
_QUALITY = 80
Value = TypeVar("Value")


def levels(width: int, height: int) -> int:
    """Return the finest level: level n halves level n + 1, level 0 is one pixel."""
    return math.ceil(math.log2(max(width, height, 1)))


class WholeSlide:
    """One open slide.

    Raises:
        OSError: no reader opens the file.
    """

    def __init__(self, path: Path) -> None:
        self._slide, self._lock = _open(path)
        self.size: tuple[int, int] = self._slide.dimensions
        self.finest = levels(*self.size)

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """Return a tile as JPEG, at most 256 x 256; None where the slide has none there.

        A slide without coarse levels is grey where a tile would take more than 100 million of its pixels.

        Raises:
            OSError: this part cannot be read.
        """
        if not 0 <= level <= self.finest or column < 0 or row < 0:
            return None
        scale = 2 ** (self.finest - level)
        x, y = column * TILE_PX * scale, row * TILE_PX * scale
        width, height = min(TILE_PX * scale, self.size[0] - x), min(TILE_PX * scale, self.size[1] - y)
        if width <= 0 or height <= 0:
            return None
        try:
            image = self._read(x, y, width, height, scale)
        except OpenSlideError as error:
            raise OSError("this part of the slide cannot be read") from error
        out = io.BytesIO()
        image.save(out, "JPEG", quality=_QUALITY)
        return out.getvalue()

    def _read(self, x: int, y: int, width: int, height: int, scale: int) -> Image.Image:
        """Return a box of level-0 pixels, one pixel for `scale`, over white."""
        best = self._slide.get_best_level_for_downsample(scale * 1.01)
        down = self._slide.level_downsamples[best]
        shape = math.ceil(width / scale), math.ceil(height / scale)
        if width * height > _MOST_PX * down * down:
            return Image.new("RGB", shape, "lightgrey")
        image = Image.new("RGB", shape, "white")
        step = max(scale, int(_STRIP_PX * down) // scale * scale)
        for top in range(0, height, step):
            for left in range(0, width, step):
                w, h = min(step, width - left), min(step, height - top)
                size = max(1, round(w / down)), max(1, round(h / down))
                with self._lock:
                    part = self._slide.read_region((x + left, y + top), best, size).convert("RGBA")
                fit = math.ceil(w / scale), math.ceil(h / scale)
                part = part.resize(fit, Image.Resampling.BOX) if part.size != fit else part
                image.paste(part, (left // scale, top // scale), part)
        return image


def _open(path: Path) -> tuple[Any, Any]:
    try:
        return OpenSlide(path), contextlib.nullcontext()
    except OpenSlideError:
        import tiffslide

        try:
            return tiffslide.TiffSlide(path), threading.Lock()
        except tiffslide.TiffFileError as error:
            raise OSError(f"no reader opens {path.name}") from error


class _Recent(OrderedDict[Any, Value]):
    """The most recently used values up to a total weight."""

    def __init__(self, limit: int, weight: Callable[[Value], int]) -> None:
        super().__init__()
        self._limit, self._weight, self._total = limit, weight, 0
        self._guard = threading.Lock()

    def look(self, key: Any) -> Value | None:
        with self._guard:
            if key not in self:
                return None
            self.move_to_end(key)
            return self[key]

    def keep(self, key: Any, value: Value) -> None:
        with self._guard:
            if key not in self:
                self._total += self._weight(value)
                self[key] = value
            while self._total > self._limit:
                self._total -= self._weight(self.popitem(last=False)[1])


class SlideShelf:
    """The slides under one folder, by their location relative to it; recent slides stay open, recent tiles at hand."""

    def __init__(self, root: Path | None) -> None:
        self._root = root.resolve() if root else None
        self._slides: _Recent[WholeSlide] = _Recent(_MOST_SLIDES, lambda slide: 1)
        self._tiles: _Recent[bytes] = _Recent(_MOST_BYTES, len)

    def find(self, uri: str) -> Path | None:
        """Return where a slide lies; None where it is not at hand or would lie outside the folder."""
        if self._root is None:
            return None
        path = (self._root / uri).resolve()
        return path if path.is_relative_to(self._root) and path.exists() else None

    def tile(self, uri: str, level: int, column: int, row: int) -> bytes | None:
        """Return a tile of a slide as JPEG; None where there is no such tile or slide.

        Raises:
            OSError: the slide cannot be read.
        """
        key = (uri, level, column, row)
        if (image := self._tiles.look(key)) is not None:
            return image
        path = self.find(uri)
        if path is None:
            return None
        slide = self._slides.look(uri)
        if slide is None:
            slide = WholeSlide(path)
            self._slides.keep(uri, slide)
        image = slide.tile(level, column, row)
        if image is not None:
            self._tiles.keep(key, image)
        return image
