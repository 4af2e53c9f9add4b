"""Damage to a release is found, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreError
from tasks.releases.candidate import Candidate
from tasks.releases.read import Release, open_release
from tasks.releases.verify import verify

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    ["data/tiles/train-00000-of-00001.parquet", "README.md", "croissant.json", "lexicon.parquet", "plots/leakage.png"],
)
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_a_flipped_byte_is_found(copied: Release, name: str, where: float) -> None:
    path = copied.path / name
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert verify(copied) == [f"{name} was altered: its digest differs"]


def test_a_flipped_byte_of_the_manifest_is_found_wherever_it_is(copied: Release) -> None:
    path = copied.path / "manifest.json"
    whole = path.read_bytes()
    for at in range(0, len(whole), 1009):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert verify(copied) != [], at
        with pytest.raises(StoreError, match=r"the manifest of .* (was altered|is torn|is not in the form)"):
            open_release(copied.path)


def test_a_missing_a_short_and_a_stray_file_are_found(copied: Release) -> None:
    (copied.path / "README.md").unlink()
    short = copied.path / "data/captions/val-00000-of-00001.parquet"
    size = short.stat().st_size
    short.write_bytes(short.read_bytes()[:-1])
    (copied.path / "data/captions/val-00001-of-00002.parquet").write_bytes(b"")
    assert verify(copied) == [
        f"data/captions/val-00000-of-00001.parquet has {size - 1} bytes, not {size}",
        "README.md is missing",
        "data/captions/val-00001-of-00002.parquet does not belong to the release",
    ]
