from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.errors import CountsError, StoreError
from schemas.records import Rejection
from tasks.scratch import remove_stale
from tasks.store import ShardStore, ShardWriter, shard_key


def numbers(out: ShardWriter) -> None:
    out.write("numbers", pa.table({"n": list(range(1000))}))
    out.count(items_in=3, items_out=2, rejections=[Rejection("slide_1", "slides", "unreadable", "torn")])


def test_a_shard_is_made_once_and_found_afterwards(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)
    info, found = store.ensure("tiling", "k", numbers)
    assert not found
    again, found = store.ensure("tiling", "k", lambda out: pytest.fail("made twice"))
    assert found
    assert again == info
    assert info.rows == {"numbers": 1000, "rejections": 1}
    assert store.open("tiling", "k").records("rejections", Rejection)[0].reason == "unreadable"


def test_equal_work_gives_equal_bytes(tmp_path: Path) -> None:
    one, _ = ShardStore(tmp_path / "a").ensure("tiling", "k", numbers)
    two, _ = ShardStore(tmp_path / "b").ensure("tiling", "k", numbers)
    assert one.sha256 == two.sha256


def test_a_failure_leaves_nothing_visible(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)

    def fails(out: ShardWriter) -> None:
        numbers(out)
        raise StoreError("disk full")

    with pytest.raises(StoreError):
        store.ensure("tiling", "k", fails)
    assert store.find("tiling", "k") is None
    assert list((tmp_path / "tiling").iterdir()) == []


def test_lost_items_are_an_error_and_no_shard(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)
    with pytest.raises(CountsError, match="3 in, 1 out, 0 rejected: 2 unaccounted for"):
        store.ensure("tiling", "k", lambda out: out.count(items_in=3, items_out=1, rejections=[]))
    assert store.find("tiling", "k") is None


def _kill_in_the_middle(root: Path) -> None:
    def dies(out: ShardWriter) -> None:
        numbers(out)
        os.kill(os.getpid(), signal.SIGKILL)

    ShardStore(root).ensure("tiling", "k", dies)


def test_killed_in_the_middle_the_work_is_simply_not_done(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_kill_in_the_middle, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    store = ShardStore(tmp_path)
    assert store.find("tiling", "k") is None
    store.ensure("tiling", "k", numbers)
    assert store.sweep(older_than_s=-1) == 1
    assert [path.name for path in (tmp_path / "tiling").iterdir()] == ["k"]


def test_a_maker_that_takes_longer_than_a_day_keeps_its_folder(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)

    def waits(out: ShardWriter) -> None:
        assert store.sweep(older_than_s=-1) == 0  # a training writes nothing before its end
        numbers(out)

    store.ensure("tiling", "k", waits)
    assert store.open("tiling", "k").table("numbers").num_rows == 1000


def test_a_shard_can_be_read_by_whom_the_umask_lets_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        ShardStore(tmp_path).ensure("tiling", "k", numbers)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tiling").rglob("*")}
    assert modes == {"k": 0o750, "shard.json": 0o640, "numbers.parquet": 0o640, "rejections.parquet": 0o640}


def test_what_vanishes_while_it_is_swept_is_passed_over(tmp_path: Path) -> None:
    """Eight publishers at once met this: a neighbour's scratch folder was listed, then gone."""
    left, fresh, gone = (tmp_path / name for name in ("left", "fresh", "gone"))
    for folder in (left, fresh, gone):
        folder.mkdir()
    os.utime(left, (0, 0))

    def listed() -> Iterator[Path]:
        for path in (left, fresh, gone):
            if path == gone:
                gone.rmdir()
            yield path

    assert remove_stale(listed(), 60) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["fresh"]


def _make(root: Path) -> None:
    ShardStore(root).ensure("tiling", "k", numbers)


def test_two_makers_of_one_shard_leave_one_whole_shard(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")  # free of what other tests have left in this process
    makers = [context.Process(target=_make, args=(tmp_path,)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0] * 3
    assert [path.name for path in (tmp_path / "tiling").iterdir()] == ["k"]


def test_a_torn_summary_is_named(tmp_path: Path) -> None:
    store = ShardStore(tmp_path)
    store.ensure("tiling", "k", numbers)
    (tmp_path / "tiling" / "k" / "shard.json").write_text("{")
    with pytest.raises(StoreError, match="tiling/k is torn"):
        store.find("tiling", "k")


def test_keys_follow_inputs_configuration_and_code() -> None:
    base = shard_key("tiling", inputs=["a"], config={"x": 1}, code="c")
    assert base == shard_key("tiling", inputs=["a"], config={"x": 1}, code="c")
    assert (
        len(
            {
                base,
                shard_key("tiling", inputs=["b"], config={"x": 1}, code="c"),
                shard_key("tiling", inputs=["a"], config={"x": 2}, code="c"),
                shard_key("tiling", inputs=["a"], config={"x": 1}, code="d"),
            }
        )
        == 4
    )
