"""A torch dataset over a release's Parquet: shuffled, sharded over ranks and workers, exactly resumable.

Row groups are read in shuffled order, eight at a time; the fields inside are shuffled; each sample is one field with
its tiles of all scales. Nothing is indexed row by row, so memory does not grow with the release.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from schemas.records.shared import SCALES
from training.decode import decode_tile
from training.encoder import Images
from training.front_end import describe, features
from training.plan import Group, Layout, Window, batches_per_shard, read_layout, windows_of_shard
from training.release import Release, Split

_PLACE: dict[str, int] = {scale: place for place, scale in enumerate(SCALES)}
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


class _Filling:
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
    filling = _Filling(len(fields), wanted)
    jobs = [(row, place, data) for row, (_, tiles) in enumerate(fields) for place, data in tiles.items()]
    for _ in (pool.map if pool else map)(filling.put, *zip(*jobs, strict=True)) if jobs else ():
        pass
    return FieldBatch([field_id for field_id, _ in fields], filling.images())


class FieldStream(IterableDataset[FieldBatch]):
    """Batches of multi-scale fields, endlessly, epoch after epoch.

    Args:
        release: the release.
        split: its split.
        batch: fields per batch; an epoch's incomplete last batches are left out, so that all ranks stay in step.
        wanted: what is made of a tile.
        seed: of the order.
        rank: of this process among `ranks`.
        threads: decoding threads per worker.
        ahead: batches decoded ahead per worker.

    Determinism: seed, ranks and workers fix the order. `state_dict` taken after n batches and loaded into a new
    stream continues with batch n + 1, bit for bit, under the same number of ranks and workers.
    """

    def __init__(
        self,
        release: Release,
        split: Split,
        *,
        batch: int,
        wanted: Wanted,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        threads: int = 1,
        ahead: int = 2,
    ) -> None:
        super().__init__()
        self._release, self._layout = release, read_layout(release, split)
        self._batch, self._wanted, self._seed = batch, wanted, seed
        self._rank, self._ranks, self._threads, self._ahead = rank, ranks, threads, ahead
        self._taken = 0

    @property
    def layout(self) -> Layout:
        """Where the fields of the split begin."""
        return self._layout

    def batches_per_epoch(self, epoch: int, workers: int = 1) -> int:
        """Return how many batches this rank gets in an epoch, over all its workers."""
        shards = self._ranks * workers
        return workers * batches_per_shard(self._layout, self._batch, seed=self._seed, epoch=epoch, shards=shards)

    def state_dict(self, taken: int) -> dict[str, int]:
        """Return the state after `taken` batches of this rank have been used, counted over all workers and epochs."""
        return {"taken": taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batches that had been used when the state was taken."""
        self._taken = state["taken"]

    def __iter__(self) -> Iterator[FieldBatch]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        # The DataLoader asks its workers in turn, from 0; after a resume the turn must go on where it stopped.
        skip, place = self._taken, (worker + self._taken) % workers
        for epoch in itertools.count():
            each = self.batches_per_epoch(epoch, workers) // workers
            if each == 0 and epoch == 0:  # too few row groups; in a later epoch they may have fallen badly, once
                return
            done = min(each, max(0, -(-(skip - place) // workers)))
            skip = max(0, skip - each * workers)
            if done < each:
                yield from self._epoch(epoch, place * self._ranks + self._rank, self._ranks * workers, done, each)

    def _epoch(self, epoch: int, shard: int, shards: int, done: int, each: int) -> Iterator[FieldBatch]:
        windows = windows_of_shard(self._layout, seed=self._seed, epoch=epoch, shard=shard, shards=shards)
        fields = self._fields(windows, done * self._batch, each * self._batch)
        waiting: deque[Future[FieldBatch]] = deque()
        with ThreadPoolExecutor(1) as front, ThreadPoolExecutor(self._threads) as pool:
            while chunk := list(itertools.islice(fields, self._batch)):
                waiting.append(front.submit(stack, chunk, self._wanted, pool if self._threads > 1 else None))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _fields(self, windows: list[Window], start: int, stop: int) -> Iterator[Tiles]:
        before = 0
        for window in windows:
            first, last = max(start - before, 0), min(stop - before, len(window.order))
            before += len(window.order)
            if first < last:
                fields = list(itertools.chain.from_iterable(self._group(group) for group in window.groups))
                for place in window.order[first:last]:
                    yield fields[place]

    def _group(self, group: Group) -> list[Tiles]:
        foreign = {field_id for other in self._layout.before(group) for field_id in self._column(other)}
        begun: dict[str, dict[int, bytes]] = {}
        for field_id, scale, image in self._rows(group):
            if field_id not in foreign:
                begun.setdefault(field_id, {})[_PLACE[scale]] = image
        for other in self._layout.after(group):
            for field_id, scale, image in self._rows(other):
                if field_id in begun:
                    begun[field_id][_PLACE[scale]] = image
        return list(begun.items())

    def _column(self, group: Group) -> list[str]:
        with self._release.open(self._layout.files[group.file]) as parquet:
            ids: list[str] = parquet.read_row_group(group.index, columns=["field_id"]).column(0).to_pylist()
        return ids

    def _rows(self, group: Group) -> list[tuple[str, Any, bytes]]:
        with self._release.open(self._layout.files[group.file]) as parquet:
            table = parquet.read_row_group(group.index, columns=["field_id", "scale", "image"])
        columns = [table.column(name).to_pylist() for name in ("field_id", "scale", "image")]
        return list(zip(*columns, strict=True))


def stream_batches(stream: FieldStream, workers: int) -> Iterator[FieldBatch]:
    """Return the stream's batches, read by `workers` processes, or here where there are none."""
    yield from DataLoader(stream, batch_size=None, num_workers=workers)


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
        filling = _Filling(len(places), wanted)

        def put(field_id: str, scale: str, image: bytes) -> None:
            filling.put(places[field_id], _PLACE[scale], image)

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
