from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import FileFormatError
from training.batch import FieldBatch, Wanted
from training.decode import decode_tile
from training.field_cache import FieldCache
from training.loader import FieldStream, stream_batches
from training.plan import Group, Layout, read_layout, windows_of_shard
from training.release import Release


@pytest.fixture(scope="module")
def grouped(make_miniature: Callable[..., Path]) -> Release:
    """Row groups of 20 tiles, so that many fields begin in one group and end in the next."""
    return Release(make_miniature(row_group=20))


def stream(release: Release, **settings: int) -> FieldStream:
    known: dict[str, Any] = {"batch": 5, "wanted": Wanted(16), "seed": 3, **settings}
    return FieldStream(release, "train", **known)


def take(source: FieldStream, count: int, workers: int = 0) -> list[FieldBatch]:
    return list(itertools.islice(stream_batches(source, workers), count))


def same(first: FieldBatch, second: FieldBatch) -> bool:
    return first.field_ids == second.field_ids and torch.equal(first.images.looked_at(), second.images.looked_at())


def test_the_layout_counts_every_field_once(grouped: Release) -> None:
    layout = read_layout(grouped, "train")
    assert layout.fields == 168
    assert len(layout.groups) == -(-168 * 3 // 20)
    assert any(group.reach == 1 for group in layout.groups)


def test_a_field_split_over_row_groups_arrives_with_all_its_tiles(grouped: Release) -> None:
    cache = FieldCache(grouped, "train", Wanted(16))
    pixels = {field_id: cache.images.looked_at()[place] for place, field_id in enumerate(cache.field_ids)}
    source = stream(grouped)
    for batch in take(source, source.batches_per_epoch(0)):
        assert batch.images.present.all()
        for place, field_id in enumerate(batch.field_ids):
            assert torch.equal(batch.images.looked_at()[place], pixels[field_id])


def test_an_epoch_gives_no_field_twice_and_the_next_another_order(grouped: Release) -> None:
    source = stream(grouped)
    each = source.batches_per_epoch(0)
    ids = [field_id for batch in take(source, 2 * each) for field_id in batch.field_ids]
    first, second = ids[: each * 5], ids[each * 5 :]
    assert len(set(first)) == each * 5 == 165
    assert first != second


@pytest.mark.parametrize(("ranks", "workers"), [(1, 2), (2, 1), (2, 2)])
def test_ranks_and_workers_share_the_fields_without_overlap(grouped: Release, ranks: int, workers: int) -> None:
    ids: list[str] = []
    counts = set()
    for rank in range(ranks):
        source = stream(grouped, rank=rank, ranks=ranks)
        each = source.batches_per_epoch(0, workers)
        counts.add(each)
        ids += [field_id for batch in take(source, each, workers) for field_id in batch.field_ids]
    assert len(counts) == 1
    assert len(ids) == len(set(ids)) > 100


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("taken", [1, 7, 30, 41])
def test_a_resumed_stream_goes_on_bit_for_bit(grouped: Release, workers: int, taken: int) -> None:
    whole = take(stream(grouped), taken + 4, workers)
    resumed = stream(grouped)
    resumed.load_state_dict(resumed.state_dict(taken))
    for expected, batch in zip(whole[taken:], take(resumed, 4, workers), strict=True):
        assert same(expected, batch)


def test_decoding_threads_do_not_change_the_batches(grouped: Release) -> None:
    for one, four in zip(take(stream(grouped), 6), take(stream(grouped, threads=4), 6), strict=True):
        assert same(one, four)


@given(counts=st.lists(st.integers(0, 90), min_size=1, max_size=60), shards=st.integers(1, 7), seed=st.integers(0, 99))
def test_shards_are_disjoint_and_cover_every_row_group(counts: list[int], shards: int, seed: int) -> None:
    layout = Layout(("f",), tuple(Group(place, 0, place, count, 0) for place, count in enumerate(counts)))
    seen: list[int] = []
    for shard in range(shards):
        for window in windows_of_shard(layout, seed=seed, epoch=1, shard=shard, shards=shards):
            seen += [group.place for group in window.groups]
            assert sorted(window.order) == list(range(sum(group.fields for group in window.groups)))
    assert sorted(seen) == list(range(len(counts)))


def reordered(release: Release, folder: Path, order: list[int], row_group: int) -> Release:
    place = folder / "data" / "tiles"
    place.mkdir(parents=True)
    tiles = pq.read_table(release.files("tiles", "train")[0])
    pq.write_table(tiles.take(order), place / "train-00000-of-00001.parquet", row_group_size=row_group)
    (folder / "manifest.json").write_text("{}")
    return Release(folder)


def test_tiles_scattered_over_neighbouring_row_groups_still_make_whole_fields(grouped: Release, tmp_path: Path) -> None:
    order = [start + place for start in range(0, 504, 42) for place in (*range(0, 42, 2), *range(1, 42, 2))]
    source = stream(reordered(grouped, tmp_path, order, 30))
    batches = take(source, source.batches_per_epoch(0))
    assert all(batch.images.present.all() for batch in batches)
    assert len({field_id for batch in batches for field_id in batch.field_ids}) == 165


def test_tiles_scattered_over_the_whole_split_are_one_clear_error(grouped: Release, tmp_path: Path) -> None:
    order = [place + scale for scale in range(3) for place in range(0, 504, 3)]
    with pytest.raises(FileFormatError, match="row groups apart"):
        read_layout(reordered(grouped, tmp_path, order, 20), "train")


def test_a_tile_that_is_no_jpeg_is_one_clear_error() -> None:
    with pytest.raises(FileFormatError, match="not JPEG"):
        decode_tile(b"not a picture", 32)


def test_a_smaller_image_is_the_area_average_of_the_tile(grouped: Release) -> None:
    image = pq.read_table(grouped.files("tiles", "val")[0], columns=["image"]).column(0)[0].as_py()
    whole, small = decode_tile(image), decode_tile(image, 24)
    assert (whole.shape, small.shape) == ((64, 64, 3), (24, 24, 3))
    assert small.mean() == pytest.approx(whole.mean(), abs=1.5)


def test_an_epoch_in_which_a_rank_gets_no_whole_batch_is_passed_over(make_miniature: Callable[..., Path]) -> None:
    release = Release(make_miniature(row_group=200))

    def stream(seed: int, rank: int) -> FieldStream:
        return FieldStream(release, "train", batch=60, wanted=Wanted(16), seed=seed, rank=rank, ranks=2)

    seed = next(seed for seed in range(99) if stream(seed, 0).batches_per_epoch(0) and not all(
        stream(seed, 0).batches_per_epoch(epoch) for epoch in range(4)
    ))  # fmt: skip
    for rank in range(2):
        assert len(list(itertools.islice(stream(seed, rank), 6))) == 6
