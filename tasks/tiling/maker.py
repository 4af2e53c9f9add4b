"""Tiles from planes: pixels cut, measured, normalised and encoded, or the slide's own bytes taken over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from schemas.errors import SlideReadError
from tasks.tiling.config import TilingConfig
from tasks.tiling.fields import DroppedField, PlannedField, PlannedTile
from tasks.tiling.focus import focus_and_contrast
from tasks.tiling.memory import PIECE_SOURCE_PX
from tasks.tiling.planes import BlockReducedPlane, LevelPlane, PixelCache, Plane, ReducedPlane
from tasks.tiling.readers.protocol import Level, Pixels, SlideReader
from tasks.tiling.scales import ScalePlan

_OVERLAP_TO_KEEP = 1.3  # pixels needed more often than this on average are kept rather than computed again
_CELLS = 4

Normaliser = Callable[[Pixels], Pixels]


class TileImage(NamedTuple):
    """One tile's bytes and what was measured on its pixels."""

    jpeg: bytes
    reader: str
    focus: float
    contrast: float


class TileMaker:
    """Makes the tiles of one slide; planes of all scales share decoded pixels."""

    def __init__(
        self,
        reader: SlideReader,
        scales: Sequence[ScalePlan],
        boxes: Sequence[NDArray[np.int64]],
        *,
        config: TilingConfig,
        cache: PixelCache,
        normalise: Normaliser | None = None,
    ) -> None:
        """Take what all tiles share.

        Args:
            reader: the open slide.
            scales: how tiles are made, the finest first.
            boxes: for each scale, the boxes (x, y, width, height) of its tiles in level-0 pixels, shape (N, 4).
            config: encoding, and whether focus is measured.
            cache: where decoded pixels are kept.
            normalise: changes the pixels of every tile.
        """
        self._reader = reader
        self._config = config
        self._normalise = normalise
        self._stored_whole: dict[str, Level | None] = {}
        if config.reader in ("auto", "passthrough") and normalise is None:
            self._stored_whole = {plan.scale: _stored_whole(reader, plan) for plan in scales}
        self._planes = build_planes(reader, scales, boxes, cache)

    def pixels(self, tile: PlannedTile) -> Pixels:
        """Return a tile's pixels before normalisation, shape (tile_px, tile_px, 4), white outside the slide.

        They are valid until the next call.
        """
        side = self._config.tile_px
        return self._planes[tile.scale].window(*tile.origin, side, side)

    def make(self, tile: PlannedTile) -> TileImage:
        """Return the tile's image.

        Raises:
            SlideReadError: a part of it cannot be read.
        """
        place = self._stored_place(tile)
        native = self._reader.native_jpeg(*place) if place else None
        if native is not None and not self._config.measure_focus:
            return TileImage(native, "passthrough", math.nan, math.nan)
        pixels = self.pixels(tile)
        focus, contrast = focus_and_contrast(pixels) if self._config.measure_focus else (math.nan, math.nan)
        if native is not None:
            return TileImage(native, "passthrough", focus, contrast)
        if self._normalise is not None:
            pixels = self._normalise(pixels)
        jpeg = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), self._config.jpeg_quality, "RGBX", self._config.jpeg_subsampling
        )
        return TileImage(jpeg, self._reader.name, focus, contrast)

    def make_or_drop(self, field: PlannedField, rank: int) -> TileImage | DroppedField:
        """Return one tile of a field, or the field as dropped where the slide cannot be read there."""
        try:
            return self.make(field.tiles[rank])
        except SlideReadError as error:
            return self._unreadable(field, rank, error)

    def copied(self, fields: Sequence[PlannedField]) -> NDArray[np.bool_]:
        """Return which fields have tiles that are all taken over without a look at their pixels, shape (N,)."""
        whole = np.full(len(fields), not self._config.measure_focus and bool(fields))
        for rank, tile in enumerate(fields[0].tiles if whole.any() else ()):
            level, side = self._stored_whole.get(tile.scale), self._config.tile_px
            if level is None:
                return np.zeros_like(whole)
            origins = np.array([field.tiles[rank].origin for field in fields])
            last = level.width - side, level.height - side
            whole &= ((origins % side == 0) & (origins >= 0) & (origins <= last)).all(axis=1)
        return whole

    def copy_or_drop(self, field: PlannedField, rank: int) -> bytes | DroppedField:
        """Return the stored bytes of a tile of a field that is copied, or the field as dropped."""
        tile = field.tiles[rank]
        (x, y), side = tile.origin, self._config.tile_px
        try:
            jpeg = self._reader.native_jpeg(tile.plan.level, x // side, y // side)
        except SlideReadError as error:
            return self._unreadable(field, rank, error)
        if jpeg is None:
            raise RuntimeError("a tile that no reader hands out was planned to be copied")
        return jpeg

    def _unreadable(self, field: PlannedField, rank: int, error: SlideReadError) -> DroppedField:
        self._reader.reopen()
        detail = f"{field.tiles[rank].scale} tile: {error}"
        return DroppedField(field.field_id, field.centre_px0, "region_unreadable", detail)

    def _stored_place(self, tile: PlannedTile) -> tuple[int, int, int] | None:
        """Return the level, column and row of the stored tile that is this tile as it is, or None."""
        level = self._stored_whole.get(tile.plan.scale)
        if level is None:
            return None
        side, (x, y) = self._config.tile_px, tile.origin
        if x % side or y % side or not (0 <= x <= level.width - side and 0 <= y <= level.height - side):
            return None
        return tile.plan.level, x // side, y // side


def _stored_whole(reader: SlideReader, plan: ScalePlan) -> Level | None:
    """Return the level whose stored tiles may be tiles of this scale as they are."""
    level = reader.geometry.levels[plan.level]
    fits = plan.ratio == (1.0, 1.0) and (level.block_width, level.block_height) == (plan.tile_px, plan.tile_px)
    return level if fits else None


def build_planes(
    reader: SlideReader, scales: Sequence[ScalePlan], boxes: Sequence[NDArray[np.int64]], cache: PixelCache
) -> dict[str, Plane]:
    """Return the plane of each scale; coarse ones are averaged from finer ones of the same level where that is exact.

    A plane whose pixels several tiles need keeps what it computed, in pieces; one that is needed once computes each
    window directly. Means of means are rounded twice, which moves a value by at most one grey level.
    """
    levels = {plan.level: LevelPlane(reader, plan.level, cache) for plan in scales}
    parents = [_parent(scales, index) for index in range(len(scales))]
    overlaps = [_overlap(boxes[index]) for index in range(len(scales))]
    planes: dict[str, Plane] = {}
    for index, (plan, (parent, ratio)) in enumerate(zip(scales, parents, strict=True)):
        level = levels[plan.level]
        blocks = level.piece_width / ratio[0], level.piece_height / ratio[1]
        if ratio == (1.0, 1.0):
            planes[plan.scale] = level
        elif parent is not None or not all(side.is_integer() for side in (*ratio, *blocks)):
            keep = max(overlaps[index:]) > _OVERLAP_TO_KEEP
            piece = 1 << int(math.log2(max(32.0, min(256.0, PIECE_SOURCE_PX / max(ratio))))) if keep else 0
            planes[plan.scale] = ReducedPlane(planes[parent] if parent else level, ratio, piece, cache)
        else:
            readers = [finer for other, (finer, _) in zip(scales, parents, strict=True) if other.level == plan.level]
            whole = int(ratio[0]), int(ratio[1])
            planes[plan.scale] = BlockReducedPlane(level, whole, cache, keep_blocks=readers.count(None) > 1)
    return planes


def _parent(scales: Sequence[ScalePlan], index: int) -> tuple[str | None, tuple[float, float]]:
    """Return the finer scale that one is averaged from, None for the stored level, and the ratio to it."""
    plan = scales[index]
    for finer in reversed(scales[:index]):
        quotient = plan.ratio[0] / finer.ratio[0], plan.ratio[1] / finer.ratio[1]
        whole = all(side.is_integer() for side in (*finer.ratio, *quotient))
        if finer.level == plan.level and whole and finer.ratio != (1.0, 1.0):
            return finer.scale, quotient
    return None, plan.ratio


def _overlap(boxes: NDArray[np.int64]) -> float:
    """Return how often, on average, a pixel under the boxes (all of one size) is under a box."""
    if not len(boxes):
        return 0.0
    cells = boxes[:, :2] // np.maximum(boxes[0, 2:] // _CELLS, 1)
    cells -= cells.min(axis=0)
    taken = np.zeros(cells.max(axis=0) + _CELLS, dtype=np.bool_)
    for x in range(_CELLS):
        for y in range(_CELLS):
            taken[cells[:, 0] + x, cells[:, 1] + y] = True
    return len(boxes) * _CELLS**2 / int(taken.sum())
