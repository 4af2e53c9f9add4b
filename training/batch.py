"""Fields as a batch: their JPEG tiles decoded, and described by the fixed front end where that is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from schemas.records.shared import SCALES
from training.decode import decode_tile
from training.encoder import Images
from training.front_end import describe, features

PLACE: dict[str, int] = {scale: place for place, scale in enumerate(SCALES)}
"""Of a scale among the tiles of a field."""
Tiles = tuple[str, dict[int, bytes]]
"""Field id, and JPEG bytes by place of the scale."""


@dataclass(frozen=True, slots=True)
class FieldBatch:
    """B fields: their ids and images."""

    field_ids: list[str]
    images: Images


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of a tile.

    Attributes:
        size_px: side to which it is brought.
        described: describe it by the fixed front end.
        pixels: keep its pixels.
    """

    size_px: int
    described: bool = False
    pixels: bool = True


class Filling:
    """Images of N fields, filled tile by tile; a missing scale is grey and marked so."""

    def __init__(self, fields: int, wanted: Wanted) -> None:
        self._wanted, side = wanted, wanted.size_px
        shape = (fields, len(SCALES), side, side, 3)
        self._pixels = torch.full(shape, 127, dtype=torch.uint8) if wanted.pixels else None
        self._present = torch.zeros(shape[:2], dtype=torch.bool)
        self._described = torch.zeros(*shape[:2], features()) if wanted.described else None

    def put(self, row: int, scale: int, data: bytes) -> None:
        """Decode a tile into its place."""
        pixels = decode_tile(data, self._wanted.size_px)
        self._present[row, scale] = True
        if self._pixels is not None:
            self._pixels[row, scale] = torch.from_numpy(pixels)
        if self._described is not None:
            self._described[row, scale] = describe(pixels)

    def images(self) -> Images:
        """Return what was filled in; the colours of a pixel stand together in memory."""
        pixels = None if self._pixels is None else self._pixels.permute(0, 1, 4, 2, 3)
        return Images(pixels, self._present, self._described)


def stack(fields: list[Tiles], wanted: Wanted, pool: ThreadPoolExecutor | None = None) -> FieldBatch:
    """Decode the tiles of fields into one batch, described by the fixed front end where that is asked for.

    Shapes:
        pixels (B, 3, 3, size_px, size_px).
    """
    filling = Filling(len(fields), wanted)
    jobs = [(row, place, data) for row, (_, tiles) in enumerate(fields) for place, data in tiles.items()]
    for _ in (pool.map if pool else map)(filling.put, *zip(*jobs, strict=True)) if jobs else ():
        pass
    return FieldBatch([field_id for field_id, _ in fields], filling.images())
