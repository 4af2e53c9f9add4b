"""What a training step needs, made ready while the device still works on the step before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from training.batch import FieldBatch
from training.encoder import Images
from training.ranks import Ranks
from training.source import BatchSource
from training.text_sampler import TextBatch, TextSampler

AHEAD = 2
"""Batches that are on their way to a GPU at once."""


@dataclass(frozen=True, slots=True)
class StepData:
    """One optimiser step: images on the device, and per micro-batch its rows and texts; rows are None for all."""

    images: Images
    parts: list[tuple[list[int] | None, TextBatch]]


class Feed:
    """The data of one step after another.

    Args:
        source: where images come from.
        sampler: draws texts.
        ranks: this process among those that train together.
        accumulate: micro-batches per step.
        device: where the images go.
    """

    def __init__(
        self, source: BatchSource, sampler: TextSampler, ranks: Ranks, accumulate: int, device: torch.device
    ) -> None:
        self._source, self._sampler, self._ranks = source, sampler, ranks
        self._accumulate, self._device = accumulate, device

    def steps(self, start: int, stop: int) -> Generator[StepData]:
        """Yield the data of the steps from `start` on, before `stop`."""
        batches = on_device(islice(self._source.batches(start), stop - start), self._device)
        for step, batch in enumerate(batches, start):
            count = self._accumulate
            rows = [list(range(part, len(batch.field_ids), count)) for part in range(count)]
            texts = [self._texts(batch, rows[part], step * count + part) for part in range(count)]
            yield StepData(batch.images, list(zip(rows if count > 1 else [None], texts, strict=True)))

    def _texts(self, batch: FieldBatch, rows: list[int], draw: int) -> TextBatch:
        every = self._ranks.gather_objects([batch.field_ids[row] for row in rows])
        return self._sampler.draw([field_id for ids in every for field_id in ids], draw)


def on_device(batches: Iterator[FieldBatch], device: torch.device) -> Iterator[FieldBatch]:
    """Yield batches with their images on the device, in order.

    For a GPU a thread takes them, pins their memory and copies them on a stream of its own, `AHEAD` at a time, so that
    decoding and copying go on beside the computation. On a CPU they are yielded as they are.
    """
    if device.type != "cuda":
        yield from batches
        return
    kinds: Any = torch.cuda
    beside = kinds.Stream(device)

    def bring() -> FieldBatch | None:
        batch = next(batches, None)
        if batch is None:
            return None
        with torch.cuda.stream(beside):
            images = batch.images.pinned().to(device)
        beside.synchronize()
        return FieldBatch(batch.field_ids, images)

    with ThreadPoolExecutor(1) as thread:
        coming: deque[Future[FieldBatch | None]] = deque(thread.submit(bring) for _ in range(AHEAD))
        while (batch := coming.popleft().result()) is not None:
            coming.append(thread.submit(bring))
            batch.images.used_by(torch.cuda.current_stream(device))
            yield batch
