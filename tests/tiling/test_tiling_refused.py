"""Slides that cannot be used, are damaged, or change: a reason for each, and what can be read is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from schemas.records import Field, Rejection
from tasks.store import Shard, ShardStore
from tasks.tiling.config import TilingConfig
from tasks.tiling.failures import RefusedSlideError, UnsteadySlideError
from tasks.tiling.readers.native import NativeReader
from tasks.tiling.shard import tile_slide

Tiler = Callable[..., Shard]


def refusal(shard: Shard) -> tuple[str, str]:
    assert shard.info.items_in == 1
    assert shard.info.items_out == 0
    assert {name: shard.info.rows[name] for name in ("slides", "tiles", "fields")} == {
        "slides": 0,
        "tiles": 0,
        "fields": 0,
    }
    (row,) = shard.records("rejections", Rejection)
    assert "/" not in row.detail.replace("um/px", "")
    return row.reason, row.detail


@pytest.mark.parametrize("content", [b"IJ no slide at all", b"II*\0\x08\0\0\0", b"II*\0"])
def test_a_file_that_is_no_slide_is_refused(tmp_path: Path, tile: Tiler, content: bytes) -> None:
    path = tmp_path / "odd.svs"
    path.write_bytes(content)
    assert refusal(tile(path))[0] == "not_a_slide"


@pytest.mark.slide
def test_real_broken_slides_are_refused(shared: Path, tile: Tiler) -> None:
    reason, detail = refusal(tile(shared / "slides/unreadable.svs"))
    assert (reason, detail) == ("unreadable", "unreadable.svs opens, but none of its pixels can be read")
    assert refusal(tile(shared / "slides/broken.svs"))[0] == "not_a_slide"


def test_a_slide_without_mpp_is_refused_unless_the_manifest_gives_it(
    tmp_path: Path, tile: Tiler, paint: Any, write: Any, source_of: Any, small: Any
) -> None:
    path = write(tmp_path / "nompp.svs", paint(1200, 900), mpp=None)
    assert refusal(tile(path, **small)) == (
        "missing_mpp", "nompp.svs does not say how many micrometres a pixel is; give mpp in the manifest",
    )  # fmt: skip
    assert tile(source_of(path, mpp=0.5), **small).info.items_out > 0


def test_an_impossible_mpp_is_refused(tmp_path: Path, tile: Tiler, paint: Any, write: Any, small: Any) -> None:
    path = write(tmp_path / "far.tif", paint(600, 400), mpp=352.78, vendor="generic")
    assert refusal(tile(path, **small))[0] == "mpp_out_of_range"


def test_a_slide_without_tissue_is_refused_and_drawn(
    tmp_path: Path, tile: Tiler, paint: Any, write: Any, small: Any
) -> None:
    glass = np.full((900, 1200, 3), 243, dtype=np.uint8) + np.random.default_rng(0).integers(0, 4, (900, 1200, 3))
    shard = tile(write(tmp_path / "glass.svs", glass.astype(np.uint8)), **small)
    assert refusal(shard)[0] == "no_tissue"
    assert shard.path("overlay.png").is_file()


def test_a_slide_too_small_for_the_scales_is_refused(tmp_path: Path, tile: Tiler, paint: Any, write: Any) -> None:
    reason, detail = refusal(tile(write(tmp_path / "tiny.svs", paint(600, 500))))
    assert reason == "too_small"
    assert "2560 x 2560 um and the slide 300 x 250 um" in detail


def test_a_slide_that_vanished_is_not_tiled(tmp_path: Path, plain_slide: Path, tile: Tiler, source_of: Any) -> None:
    path = tmp_path / "gone.svs"
    shutil.copy(plain_slide, path)
    source = source_of(path)
    path.unlink()
    with pytest.raises(UnsteadySlideError, match="has gone since it was listed"):
        tile(source)


def test_a_folder_of_slides_that_was_away_for_a_moment_is_looked_at_again(
    tmp_path: Path, plain_slide: Path, source_of: Any, small: Any
) -> None:
    path = tmp_path / "slides" / "away.svs"
    path.parent.mkdir()
    shutil.copy(plain_slide, path)
    source, store, config = source_of(path), ShardStore(tmp_path / "store"), TilingConfig(**small)
    path.parent.rename(tmp_path / "unmounted")
    with pytest.raises(UnsteadySlideError):
        store.ensure("tiling", "key", lambda out: tile_slide(source, config, out))
    assert store.find("tiling", "key") is None
    (tmp_path / "unmounted").rename(path.parent)
    assert store.ensure("tiling", "key", lambda out: tile_slide(source, config, out))[0].items_out > 0


@pytest.mark.parametrize("fault", [FileNotFoundError, PermissionError])
def test_a_slide_that_goes_when_it_is_opened_is_no_refusal(
    tmp_path: Path, plain_slide: Path, tile: Tiler, monkeypatch: pytest.MonkeyPatch, fault: type[OSError]
) -> None:
    path = tmp_path / "going.svs"
    shutil.copy(plain_slide, path)

    def go(*arguments: Any) -> None:
        path.unlink()
        if fault is PermissionError:
            path.symlink_to(path)  # a loop, which cannot be read even by root
        raise RefusedSlideError("is not a slide", reason="not_a_slide")

    monkeypatch.setattr("tasks.tiling.shard.open_reader", go)
    with pytest.raises(UnsteadySlideError):
        tile(path)


# Slides that are damaged or change


def _damage(path: Path, level: int, indices: list[int]) -> None:
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[level]
        spans = [(page.dataoffsets[index], page.databytecounts[index]) for index in indices]
    with path.open("r+b") as stream:
        for offset, size in spans:
            stream.seek(offset + size // 4)
            stream.write(b"\xff\xd9" * (size // 4))


@pytest.mark.parametrize("reader", ["native", "openslide"])
def test_a_damaged_tile_costs_the_fields_that_need_it_and_no_other(
    tmp_path: Path, plain_slide: Path, tile: Tiler, small: Any, reader: str
) -> None:
    path = tmp_path / "hurt.svs"
    shutil.copy(plain_slide, path)
    config = small | {"scales_mpp": {"mid": 1.0, "high": 0.5}, "reader": reader}
    whole = {row.field_id: row for row in tile(path, **config).records("fields", Field)}
    _damage(path, 0, [2 * 7 + 3])  # the stored tile at x 768..1024, y 512..768
    shard = tile(path, **config)
    lost = [row for row in shard.records("rejections", Rejection) if row.reason == "region_unreadable"]
    kept = shard.records("fields", Field)
    touching = sum(
        768 - 64 < row.centre_x_px0 < 1024 + 64 and 512 - 64 < row.centre_y_px0 < 768 + 64 for row in whole.values()
    )
    assert touching > 20
    # OpenSlide touches the next tile to the right and below when a region ends at a tile's edge.
    assert len(lost) == touching if reader == "native" else touching <= len(lost) < 1.5 * touching
    assert len(kept) == len(whole) - len(lost)
    assert all("level 0" in row.detail and str(tmp_path) not in row.detail for row in lost)
    assert shard.info.items_in == len(kept) + sum(shard.info.rejected.values())


def test_a_damaged_part_of_the_only_level_is_told_from_glass(
    tmp_path: Path, tile: Tiler, paint: Any, write: Any, small: Any
) -> None:
    path = write(tmp_path / "one.svs", paint(1600, 1200), levels=(1,))
    _damage(path, 0, [2 * 7 + 3])
    shard = tile(path, **(small | {"scales_mpp": {"high": 0.5}}))
    assert shard.info.rejected["region_unreadable"] == 16
    assert 0 < shard.info.facts["damaged_share"] < 0.1


def test_a_truncated_slide_keeps_what_can_be_read(
    tmp_path: Path, tile: Tiler, paint: Any, write: Any, small: Any
) -> None:
    path = write(tmp_path / "cut.tif", paint(1600, 1200), vendor="generic", levels=(1,))
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        cut = page.dataoffsets[20]
        assert page.offset < page.dataoffsets[0]  # the directory lies before the pixels
    fields = tile(path, **(small | {"scales_mpp": {"high": 0.5}})).info.items_out
    os.truncate(path, cut)
    shard = tile(path, **(small | {"scales_mpp": {"high": 0.5}}))
    assert 0 < shard.info.items_out < fields
    assert str(tmp_path) not in shard.path("shard.json").read_text()
    assert shard.info.rejected["region_unreadable"] > 50


def test_a_slide_that_changes_while_it_is_read_is_not_tiled(
    tmp_path: Path, plain_slide: Path, tile: Tiler, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.svs"
    shutil.copy(plain_slide, path)
    close = NativeReader.close

    def append_and_close(self: NativeReader) -> None:
        with path.open("ab") as stream:
            stream.write(b"more")
        close(self)

    monkeypatch.setattr(NativeReader, "close", append_and_close)
    with pytest.raises(UnsteadySlideError, match="changed since it was listed"):
        tile(path, **small)


def test_a_slide_that_changed_since_it_was_listed_is_not_tiled(
    tmp_path: Path, plain_slide: Path, tile: Tiler, source_of: Any, small: Any
) -> None:
    path = tmp_path / "listed.svs"
    shutil.copy(plain_slide, path)
    source = source_of(path)
    os.utime(path)
    assert tile(source, **small).info.items_out > 0  # touched, but the same bytes
    with path.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(UnsteadySlideError, match="changed since it was listed"):
        tile(source, **small)


def test_a_damaged_stored_tile_that_is_only_copied_costs_its_field(
    tmp_path: Path, plain_slide: Path, tile: Tiler
) -> None:
    path = tmp_path / "headless.svs"
    shutil.copy(plain_slide, path)
    config: dict[str, Any] = {
        "scales_mpp": {"high": 0.5}, "centres": {"kind": "grid"}, "measure_focus": False,
        "thresholds": {"focus_min": 0, "blank_std_min": 0},
    }  # fmt: skip
    whole = tile(path, **config)
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        offset = page.dataoffsets[2 * 7 + 3]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\0\0")
    shard = tile(path, **config)
    assert shard.info.rejected["region_unreadable"] == 1
    assert shard.info.items_out == whole.info.items_out - 1
    assert shard.info.items_in == whole.info.items_in
