"""A split that fits into memory: decoded once, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch import Tensor

from training.batch import PLACE, FieldBatch, Filling, Wanted
from training.front_end import features
from training.release import Release, Split


class FieldCache:
    """All fields of a split, decoded once and kept as uint8, for splits that fit in memory.

    Attributes:
        field_ids: in the order of the tiles table.
        images: pixels (N, 3, 3, S, S) and presence (N, 3).
    """

    def __init__(self, release: Release, split: Split, wanted: Wanted, threads: int = 2) -> None:
        places: dict[str, int] = {}
        for rows in _tile_rows(release, split, ["field_id"]):
            for field_id in rows.column(0).to_pylist():
                places.setdefault(field_id, len(places))
        self.field_ids = list(places)
        filling = Filling(len(places), wanted)

        def put(field_id: str, scale: str, image: bytes) -> None:
            filling.put(places[field_id], PLACE[scale], image)

        with ThreadPoolExecutor(threads) as pool:
            for rows in _tile_rows(release, split, ["field_id", "scale", "image"]):
                for _ in pool.map(put, *(column.to_pylist() for column in rows.columns)):
                    pass
        self.images = filling.images()

    def take(self, rows: Tensor) -> FieldBatch:
        """Return some of the fields as a batch."""
        ids = [self.field_ids[row] for row in rows.tolist()]
        return FieldBatch(ids, self.images.rows(rows))


def _tile_rows(release: Release, split: Split, columns: list[str]) -> Iterator[Any]:
    for file in release.files("tiles", split):
        with release.open(file) as parquet:
            yield from parquet.iter_batches(256, columns=columns)


def cache_bytes(release: Release, split: Split, wanted: Wanted) -> int:
    """Return the memory that a `FieldCache` would take, in bytes."""
    tiles = 0
    for file in release.files("tiles", split):
        with release.open(file) as parquet:
            tiles += parquet.metadata.num_rows
    each = (3 * wanted.size_px**2 if wanted.pixels else 0) + (4 * features() if wanted.described else 0)
    return tiles * each
