"""Digests of files are remembered until the file changes, however the change is hidden."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from tasks.digests import remembered, remembered_sha256


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    path = tmp_path / "slide.svs"
    path.write_bytes(b"first")
    time.sleep(0.15)
    return path


def never() -> str:
    pytest.fail("the file was read again")


def test_an_untouched_file_is_not_read_again(settled: Path, tmp_path: Path) -> None:
    first = remembered_sha256(settled, tmp_path / "cache")
    assert first == hashlib.sha256(b"first").hexdigest()
    assert remembered([settled], tmp_path / "cache", never) == first


def test_an_edit_of_equal_size_with_its_time_set_back_is_seen(settled: Path, tmp_path: Path) -> None:
    remembered_sha256(settled, tmp_path / "cache")
    times = settled.stat()
    settled.write_bytes(b"other")
    os.utime(settled, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert remembered_sha256(settled, tmp_path / "cache") == hashlib.sha256(b"other").hexdigest()


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    path.write_bytes(b"first")
    assert remembered_sha256(path, tmp_path / "cache") == hashlib.sha256(b"first").hexdigest()
    assert not (tmp_path / "cache").exists()


def test_where_nothing_can_be_remembered_a_file_is_read_again(settled: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    assert remembered_sha256(settled, tmp_path / "cache") == hashlib.sha256(b"first").hexdigest()


def test_a_torn_entry_is_made_again(settled: Path, tmp_path: Path) -> None:
    first = remembered_sha256(settled, tmp_path / "cache")
    entries = list((tmp_path / "cache").iterdir())
    assert len(entries) == 1
    entries[0].write_text("{")
    assert remembered_sha256(settled, tmp_path / "cache") == first
