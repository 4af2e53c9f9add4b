"""Slides as planes of pixels at any resolution, computed piece by piece when asked for, within bounded memory."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import Protocol

from schemas.errors import SlideReadError
from tasks.tiling.readers.protocol import WHITE, Pixels, SlideReader
from tasks.tiling.resample import area_average, source_span, white


class PixelCache:
    """Decoded pixels, least recently used dropped first: one piece, or more within a number of bytes; with 0, none."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._pieces: OrderedDict[tuple[int, int, int], Pixels] = OrderedDict()
        self._planes = 0

    def new_plane(self) -> int:
        """Return a number that tells one plane's pieces from another's."""
        self._planes += 1
        return self._planes

    def held(self, key: tuple[int, int, int]) -> Pixels | None:
        """Return a piece, or None where it is not held."""
        piece = self._pieces.get(key)
        if piece is not None:
            self._pieces.move_to_end(key)
        return piece

    def put(self, key: tuple[int, int, int], piece: Pixels) -> Pixels:
        """Hold a piece and return it."""
        self._pieces[key] = piece
        self.held_bytes += piece.nbytes
        while self.held_bytes > self.limit_bytes and len(self._pieces) > 1:
            self.held_bytes -= self._pieces.popitem(last=False)[1].nbytes
        return piece


class Plane(Protocol):
    """A slide at one resolution. Frame: the plane's own pixels."""

    width: int
    height: int

    def window(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Return a box of pixels, shape (height, width, 4), white outside the plane.

        It must not be written to, and is valid until the plane's next call: a page of memory that is touched anew
        costs as much as decoding it.

        Raises:
            SlideReadError: a part of it cannot be read.
        """
        ...


class _Mosaic:
    """A plane made of pieces on a regular grid."""

    def __init__(self, width: int, height: int, piece_width: int, piece_height: int, cache: PixelCache) -> None:
        self.width, self.height = width, height
        self.piece_width, self.piece_height = piece_width, piece_height
        self._cache = cache
        self._number = cache.new_plane()
        self._room = white(0, 0)

    def _make(self, column: int, row: int) -> Pixels:
        raise NotImplementedError

    def piece(self, column: int, row: int) -> Pixels:
        """Return one piece, clipped to the plane."""
        if not self._cache.limit_bytes:  # no piece is needed twice: let the next one take its memory
            return self._make(column, row)
        key = self._number, column, row
        held = self._cache.held(key)
        return self._cache.put(key, self._make(column, row)) if held is None else held

    def window(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Return a box of pixels, white outside the plane; valid until the next call."""
        column, from_x = divmod(x, self.piece_width)
        row, from_y = divmod(y, self.piece_height)
        to_x, to_y = from_x + width, from_y + height
        inside = x >= 0 and y >= 0 and x + width <= self.width and y + height <= self.height
        if inside and to_x <= self.piece_width and to_y <= self.piece_height:
            return self.piece(column, row)[from_y:to_y, from_x:to_x]
        return self._put_together(x, y, width, height, inside)

    def _put_together(self, x: int, y: int, width: int, height: int, inside: bool) -> Pixels:
        left, right = max(0, x), min(self.width, x + width)
        top, bottom = max(0, y), min(self.height, y + height)
        if left >= right or top >= bottom:
            return white(width, height)
        columns = range(left // self.piece_width, (right - 1) // self.piece_width + 1)
        rows = range(top // self.piece_height, (bottom - 1) // self.piece_height + 1)
        if self._room.shape != (height, width, 4):
            self._room = white(width, height)
        result = self._room
        if not inside:
            result.fill(WHITE)
        for row in rows:
            y0 = row * self.piece_height
            from_y, to_y = max(top, y0), min(bottom, y0 + self.piece_height)
            for column in columns:
                x0 = column * self.piece_width
                from_x, to_x = max(left, x0), min(right, x0 + self.piece_width)
                piece = self.piece(column, row)
                result[from_y - y : to_y - y, from_x - x : to_x - x] = piece[
                    from_y - y0 : to_y - y0, from_x - x0 : to_x - x0
                ]
        return result


class LevelPlane(_Mosaic):
    """One stored level of the slide, block by block."""

    def __init__(self, reader: SlideReader, level: int, cache: PixelCache) -> None:
        place = reader.geometry.levels[level]
        super().__init__(place.width, place.height, place.block_width, place.block_height, cache)
        self._reader, self._level = reader, level

    def _make(self, column: int, row: int) -> Pixels:
        return self._reader.block(self._level, column, row)

    def fresh(self, column: int, row: int) -> Pixels:
        """Return one block without keeping it: for a reader of blocks that comes by once."""
        return self._reader.block(self._level, column, row)


class BlockReducedPlane(_Mosaic):
    """The area average of a stored level whose blocks a whole ratio divides: each block is averaged when decoded.

    The block is then still in the processor's cache, and no window is put together first.
    """

    def __init__(self, parent: LevelPlane, ratio: tuple[int, int], cache: PixelCache, *, keep_blocks: bool) -> None:
        """Reduce a level.

        Args:
            parent: the level.
            ratio: level pixels per pixel (x, y), which divide the sides of its blocks.
            cache: where the pieces are kept.
            keep_blocks: another plane reads the same blocks.
        """
        size = parent.width // ratio[0], parent.height // ratio[1]
        super().__init__(*size, parent.piece_width // ratio[0], parent.piece_height // ratio[1], cache)
        self._block = parent.piece if keep_blocks else parent.fresh
        self._ratio = ratio

    def _make(self, column: int, row: int) -> Pixels:
        width = min(self.piece_width, self.width - column * self.piece_width)
        height = min(self.piece_height, self.height - row * self.piece_height)
        block = self._block(column, row)[: height * self._ratio[1], : width * self._ratio[0]]
        return area_average(block, (0, 0), (width, height), (float(self._ratio[0]), float(self._ratio[1])))


class ReducedPlane(_Mosaic):
    """The area average of another plane; pixel i covers the parent's pixels from i * ratio to (i + 1) * ratio."""

    def __init__(self, parent: Plane, ratio: tuple[float, float], piece_px: int, cache: PixelCache) -> None:
        """Reduce a plane.

        Args:
            parent: finer plane.
            ratio: parent pixels per pixel (x, y); whole numbers or not.
            piece_px: side of the pieces that are kept; 0 computes every window directly and keeps nothing.
            cache: where the pieces are kept.
        """
        width, height = max(1, int(parent.width / ratio[0])), max(1, int(parent.height / ratio[1]))
        super().__init__(width, height, piece_px or width, piece_px or height, cache)
        self._parent, self._ratio, self._direct = parent, ratio, piece_px == 0

    def _compute(self, x: int, y: int, width: int, height: int) -> Pixels:
        from_x, span_x = source_span(x, width, self._ratio[0])
        from_y, span_y = source_span(y, height, self._ratio[1])
        source = self._parent.window(from_x, from_y, span_x, span_y)
        return area_average(source, (x, y), (width, height), self._ratio)

    def _make(self, column: int, row: int) -> Pixels:
        x, y = column * self.piece_width, row * self.piece_height
        return self._compute(x, y, min(self.piece_width, self.width - x), min(self.piece_height, self.height - y))

    def window(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Return a box of pixels, white outside the plane.

        A piece that cannot be read may be larger than the box needs: then the box is computed on its own.
        """
        if not self._direct:
            with contextlib.suppress(SlideReadError):
                return super().window(x, y, width, height)
        left, right = max(0, x), min(self.width, x + width)
        top, bottom = max(0, y), min(self.height, y + height)
        if (left, top, right - left, bottom - top) == (x, y, width, height):
            return self._compute(x, y, width, height)
        result = white(width, height)
        if left < right and top < bottom:
            inside = self._compute(left, top, right - left, bottom - top)
            result[top - y : bottom - y, left - x : right - x] = inside
        return result
