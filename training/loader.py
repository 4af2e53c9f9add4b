"""A torch dataset over a release's Parquet: shuffled, sharded over ranks and workers, exactly resumable.

Row groups are read in shuffled order, eight at a time; the fields inside are shuffled; each sample is one field with
its tiles of all scales. Nothing is indexed row by row, so memory does not grow with the release.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.batch import PLACE, FieldBatch, Tiles, Wanted, stack
from training.plan import Group, Layout, Window, batches_per_shard, read_layout, windows_of_shard
from training.release import Release, Split


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
                begun.setdefault(field_id, {})[PLACE[scale]] = image
        for other in self._layout.after(group):
            for field_id, scale, image in self._rows(other):
                if field_id in begun:
                    begun[field_id][PLACE[scale]] = image
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
