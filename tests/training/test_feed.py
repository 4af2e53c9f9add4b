from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from training.batch import Wanted
from training.clock import StepClock
from training.feed import Feed, on_device
from training.field_cache import FieldCache
from training.ranks import Ranks
from training.release import Release
from training.source import MemorySource
from training.text_sampler import TextSampler
from training.texts import TextBook


@pytest.fixture(scope="module")
def source(miniature: Path) -> MemorySource:
    return MemorySource(FieldCache(Release(miniature), "test", Wanted(32)), batch=7, seed=3)


def test_a_feed_that_begins_later_gives_what_the_whole_one_gives_from_there(
    miniature: Path, source: MemorySource
) -> None:
    sampler = TextSampler(TextBook.read(Release(miniature), "test"), captions=2, negatives=3, questions=1, seed=3)
    feed = Feed(source, sampler, Ranks(), 2, torch.device("cpu"))
    whole, late = list(feed.steps(0, 9)), list(feed.steps(6, 9))
    assert (len(whole), len(late)) == (9, 3)
    for one, two in zip(whole[6:], late, strict=True):
        assert torch.equal(one.images.looked_at(), two.images.looked_at())
        assert [(rows, texts.texts) for rows, texts in one.parts] == [(rows, texts.texts) for rows, texts in two.parts]
        assert sorted(row for rows, _ in one.parts for row in rows or ()) == list(range(7))


@pytest.mark.gpu
def test_batches_come_to_the_gpu_in_order_and_unchanged(source: MemorySource) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    expected = list(islice(source.batches(0), 9))
    found = list(on_device(islice(source.batches(0), 9), torch.device("cuda")))
    assert [batch.field_ids for batch in found] == [batch.field_ids for batch in expected]
    for one, two in zip(expected, found, strict=True):
        assert two.images.looked_at().is_cuda
        assert torch.equal(one.images.looked_at(), two.images.looked_at().cpu())


def test_the_clock_tells_waiting_from_working_and_leaves_pauses_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, now = StepClock(torch.device("cpu")), iter([0.0, 3.0, 4.0, 7.0, 20.0, 23.0, 24.0, 27.0])
    monkeypatch.setattr("training.clock.time.perf_counter", lambda: next(now))
    for pauses in (False, True, False, False):
        clock.begin()
        clock.end()
        clock.read()
        if pauses:
            clock.pause()
    assert (clock.worked_s, clock.waited_s) == (12.0, 2.0)
    assert clock.waited == pytest.approx(2 / 14)
