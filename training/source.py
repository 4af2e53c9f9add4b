"""Where training batches come from: memory where the split fits, else the stream; in the same order on every run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from schemas.errors import InputError
from training.batch import FieldBatch, Wanted
from training.config import TrainingConfig
from training.field_cache import FieldCache, cache_bytes
from training.loader import FieldStream, stream_batches
from training.release import Release, Split


class BatchSource(Protocol):
    """Batches of fields, endlessly, from any step on."""

    fields: int
    steps_per_epoch: int

    def batches(self, step: int) -> Iterator[FieldBatch]:
        """Yield the batches of optimiser steps `step`, `step + 1`, ..."""
        ...


class MemorySource:
    """Batches out of a `FieldCache`: a new order every epoch, incomplete last batches left out."""

    def __init__(self, cache: FieldCache, batch: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        self.fields = len(cache.field_ids)
        self._cache, self._seed, self._rank, self._ranks = cache, seed, rank, ranks
        self._batch = min(batch, self.fields // ranks)
        self.steps_per_epoch = self.fields // (self._batch * ranks)

    def batches(self, step: int) -> Iterator[FieldBatch]:
        """Yield the batches of optimiser steps `step`, `step + 1`, ..."""
        while True:
            epoch, place = divmod(step, self.steps_per_epoch)
            order = np.random.default_rng([self._seed, 4, epoch]).permutation(self.fields)[self._rank :: self._ranks]
            rows = order[place * self._batch : (place + 1) * self._batch]
            yield self._cache.take(torch.from_numpy(rows))
            step += 1


class StreamSource:
    """Batches out of a `FieldStream`, for splits larger than the memory given to them."""

    def __init__(self, stream: FieldStream, workers: int) -> None:
        self._stream, self._workers = stream, workers
        self.fields = stream.layout.fields
        self.steps_per_epoch = stream.batches_per_epoch(0, max(workers, 1))

    def batches(self, step: int) -> Iterator[FieldBatch]:
        """Yield the batches of optimiser steps `step`, `step + 1`, ..."""
        self._stream.load_state_dict({"taken": step})
        yield from stream_batches(self._stream, self._workers)


def wanted_by(config: TrainingConfig) -> Wanted:
    """Return what the encoder of a configuration wants of a tile."""
    return Wanted(config.image_px, described=config.described, pixels=config.looks)


def open_source(
    release: Release, split: Split, config: TrainingConfig, *, threads: int, rank: int = 0, ranks: int = 1
) -> BatchSource:
    """Return the batches of a split, held in memory where `cache_mb` allows.

    Raises:
        InputError: the split has fewer than two fields for each micro-batch, or too few row groups for the workers.
    """
    wanted = wanted_by(config)
    if cache_bytes(release, split, wanted) <= config.cache_mb << 20:
        cache = FieldCache(release, split, wanted, threads)
        if len(cache.field_ids) < 2 * ranks * config.accumulate:
            raise InputError(
                f"{len(cache.field_ids)} fields with tiles in the {split} split are too few to train on",
                remedy="publish a release of more slides, or lower `accumulate`",
            )
        return MemorySource(cache, config.batch, config.seed, rank, ranks)
    stream = FieldStream(
        release,
        split,
        batch=config.batch,
        wanted=wanted,
        seed=config.seed,
        rank=rank,
        ranks=ranks,
        threads=threads if config.workers == 0 else 1,
    )
    source = StreamSource(stream, config.workers)
    if source.steps_per_epoch == 0:
        raise InputError(
            f"the {split} split has too few row groups for {ranks} ranks of {max(config.workers, 1)} loader workers",
            remedy="lower batch or workers, or raise cache_mb",
        )
    return source
