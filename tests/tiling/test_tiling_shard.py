from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import simplejpeg
import tifffile
from PIL import Image

from schemas.records import Field, Rejection, Slide, Tile
from tasks.store import Shard
from tasks.tiling.readers.native import NativeReader

Tiler = Callable[..., Shard]
UNSEEN: dict[str, Any] = {"measure_focus": False, "thresholds": {"focus_min": 0, "blank_std_min": 0}}


def reasons(shard: Shard) -> Counter[str]:
    return Counter(row.reason for row in shard.records("rejections", Rejection))


def decoded(jpeg: bytes) -> Any:
    return simplejpeg.decode_jpeg(jpeg, "RGB").astype(np.int16)


def test_a_slide_becomes_fields_with_a_tile_at_every_scale(plain_slide: Path, tile: Tiler, small: Any) -> None:
    shard = tile(plain_slide, **small)
    (slide,) = shard.records("slides", Slide)
    fields, tiles = shard.records("fields", Field), {row.tile_id: row for row in shard.records("tiles", Tile)}
    assert (slide.width_px0, slide.height_px0, slide.mpp_x, slide.objective_power) == (1600, 1200, 0.5, 20.0)
    assert (slide.name, slide.vendor) == ("plain.svs", "aperio")
    assert len(fields) > 100
    assert len(tiles) == 3 * len(fields)
    for field in fields:
        for scale, mpp, extent in (("low", 4.0, 512), ("mid", 2.0, 256), ("high", 0.5, 64)):
            row = tiles[field.tile_id(scale) or ""]  # type: ignore[arg-type]
            assert (row.scale, row.mpp, row.box_width_px0, row.box_height_px0) == (scale, mpp, extent, extent)
            assert abs(row.x_px0 + extent / 2 - field.centre_x_px0) <= mpp / 0.5 / 2
            assert abs(row.y_px0 + extent / 2 - field.centre_y_px0) <= mpp / 0.5 / 2
            assert decoded(row.image).shape == (64, 64, 3)
            assert 0 <= row.pen_fraction <= 1
            assert row.focus >= 0
    assert shard.path("overlay.png").is_file()
    assert shard.info.facts["reader"] == "native"
    assert shard.info.facts["tiles"] == {f"{scale} native": len(fields) for scale in ("high", "low", "mid")}


def test_every_centre_becomes_a_field_or_a_rejection(plain_slide: Path, tile: Tiler, small: Any) -> None:
    shard = tile(plain_slide, **small)
    centres = math.ceil((1600 - 32) / 64) * math.ceil((1200 - 32) / 64)
    assert shard.info.items_in == centres
    assert shard.info.items_out == shard.info.rows["fields"]
    assert sum(reasons(shard).values()) == centres - shard.info.items_out
    assert set(reasons(shard)) == {"background", "low_tissue"}
    assert len({row.item_id for row in shard.records("rejections", Rejection)}) == centres - shard.info.items_out


def test_tables_are_sorted_by_their_ids(plain_slide: Path, tile: Tiler, small: Any) -> None:
    for config in (small, small | {"tile_px": 256, "scales_mpp": {"high": 0.5}, **UNSEEN}):
        shard = tile(plain_slide, **config)
        tiles = [(row.slide_id, row.field_id, row.tile_id) for row in shard.records("tiles", Tile)]
        fields = [row.field_id for row in shard.records("fields", Field)]
        assert len(fields) > 8
        assert tiles == sorted(tiles)
        assert fields == sorted(fields)


def test_the_same_slide_gives_the_same_bytes(plain_slide: Path, tile: Tiler, small: Any) -> None:
    first, second = tile(plain_slide, **small), tile(plain_slide, **small)
    assert first.info.sha256 == second.info.sha256
    assert len(first.info.sha256) == 5


def test_a_stricter_threshold_changes_no_field_that_meets_it(plain_slide: Path, tile: Tiler, small: Any) -> None:
    drawn = {**small, "centres": {"kind": "sampled", "max_fields_per_slide": 60}}
    before = tile(plain_slide, **drawn)
    finest = {row.field_id: row.tissue_fraction for row in before.records("tiles", Tile) if row.scale == "high"}
    after = tile(plain_slide, **drawn, thresholds={"tissue_fraction_min": 0.95})
    meet = {field for field, fraction in finest.items() if fraction >= 0.95}
    assert 0 < len(meet) < len(finest) == 60
    assert meet <= {field.field_id for field in after.records("fields", Field)}


def test_memory_for_pixels_does_not_change_the_bytes(
    plain_slide: Path, tile: Tiler, small: Any, monkeypatch: Any
) -> None:
    first = tile(plain_slide, **small)
    monkeypatch.setattr("tasks.tiling.memory._bytes_per_px0", lambda *_: 1.0)
    monkeypatch.setattr("tasks.tiling.maker._OVERLAP_TO_KEEP", 1e9)
    monkeypatch.setattr("tasks.tiling.spool.IN_MEMORY_BYTES", 1 << 16)
    second = tile(plain_slide, **small)
    assert first.info.sha256 == second.info.sha256


@pytest.mark.parametrize(
    ("tile_px", "scales", "stride_um"),
    [(256, {"high": 0.5}, None), (512, {"high": 0.5}, 128.0), (256, {"mid": 1.0, "high": 0.5}, 64.0)],
)
def test_no_stored_tile_is_decoded_twice(
    plain_slide: Path, tile: Tiler, monkeypatch: Any, tile_px: int, scales: dict[str, float], stride_um: float | None
) -> None:
    decoded_blocks: Counter[tuple[int, int, int]] = Counter()
    block = NativeReader.block

    def count(self: NativeReader, *place: int) -> Any:
        decoded_blocks[place] += 1  # type: ignore[index]
        return block(self, *place)

    monkeypatch.setattr(NativeReader, "block", count)
    centres = {"kind": "grid", "stride_um": stride_um}
    assert tile(plain_slide, scales_mpp=scales, tile_px=tile_px, centres=centres).info.items_out > 3
    level0 = {place: count for place, count in decoded_blocks.items() if place[0] == 0}
    assert len(level0) > 10
    assert set(level0.values()) == {1}


def test_all_readers_make_the_same_tiles(plain_slide: Path, tile: Tiler, small: Any) -> None:
    shards = {name: tile(plain_slide, reader=name, **small) for name in ("native", "openslide", "tiffslide")}
    images = {name: [row.image for row in shard.records("tiles", Tile)] for name, shard in shards.items()}
    assert images["native"] == images["openslide"] == images["tiffslide"]
    for name, shard in shards.items():
        assert {row.reader for row in shard.records("tiles", Tile)} == {name}


def test_tiles_show_what_openslide_shows_in_their_box(plain_slide: Path, tile: Tiler, small: Any) -> None:
    shard = tile(plain_slide, **small, jpeg_quality=100, jpeg_subsampling="444")
    levels = {name: plan["level"] for name, plan in shard.info.facts["scales"].items()}
    assert levels == {"high": 0, "mid": 1, "low": 1}
    with openslide.OpenSlide(plain_slide) as slide:
        for row in shard.records("tiles", Tile)[::7]:
            level = levels[row.scale]
            side = row.box_width_px0 // 4**level
            region = slide.read_region((row.x_px0, row.y_px0), level, (side, side))
            white = Image.new("RGB", region.size, (255, 255, 255))
            white.paste(region, mask=region)
            expected = np.asarray(white.reduce(side // 64), dtype=np.int16)
            assert np.abs(decoded(row.image) - expected).mean() < 1.5


def test_low_tiles_at_the_edge_are_white_outside(plain_slide: Path, tile: Tiler, small: Any) -> None:
    rows = [row for row in tile(plain_slide, **small).records("tiles", Tile) if row.y_px0 < 0]
    assert rows
    for row in rows:
        assert 0.5 <= row.inside_fraction < 1.0
        outside = decoded(row.image)[: max(0, -row.y_px0 // (row.box_height_px0 // 64) - 8)]
        assert outside.size == 0 or outside.min() > 235
    assert min(row.y_px0 for row in rows) < -90


def test_stored_tiles_that_fit_are_passed_through(plain_slide: Path, tile: Tiler) -> None:
    config: dict[str, Any] = {
        "scales_mpp": {"mid": 1.0, "high": 0.5}, "tile_px": 256, "centres": {"kind": "grid"}, "reader": "passthrough",
    }  # fmt: skip
    shard = tile(plain_slide, **config)
    rows = shard.records("tiles", Tile)
    assert {(row.scale, row.reader) for row in rows} >= {("high", "passthrough"), ("mid", "native")}
    with tifffile.TiffFile(plain_slide) as tiff:
        page: Any = tiff.pages[0]
        for row in rows:
            if row.reader != "passthrough":
                continue
            index = row.y_px0 // 256 * 7 + row.x_px0 // 256
            tiff.filehandle.seek(page.dataoffsets[index])
            stored = tiff.filehandle.read(page.databytecounts[index])
            scan = stored.index(b"\xff\xda")
            assert row.image.endswith(stored[scan:])
            expected = np.asarray(page.asarray()[row.y_px0 :, row.x_px0 :][:256, :256], dtype=np.int16)
            assert np.array_equal(decoded(row.image), expected)
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(row.image))).astype(np.int16), expected)


def test_tiles_can_be_passed_through_without_being_looked_at(plain_slide: Path, tile: Tiler) -> None:
    shard = tile(plain_slide, scales_mpp={"high": 0.5}, centres={"kind": "grid"}, **UNSEEN)
    rows = [row for row in shard.records("tiles", Tile) if row.reader == "passthrough"]
    assert rows
    assert all(math.isnan(row.focus) for row in rows)


def test_sampled_fields_are_drawn_by_seed(plain_slide: Path, tile: Tiler, small: Any) -> None:
    def centres(seed: int) -> set[tuple[int, int]]:
        sampled = {"kind": "sampled", "seed": seed, "max_fields_per_slide": 12}
        shard = tile(plain_slide, **(small | {"centres": sampled}))
        assert shard.info.items_out == 12
        return {(row.centre_x_px0, row.centre_y_px0) for row in shard.records("fields", Field)}

    assert centres(1) == centres(1)
    assert centres(1) != centres(2)


def test_tiles_are_read_in_row_groups_of_256(plain_slide: Path, tile: Tiler, small: Any) -> None:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(tile(plain_slide, **small).path("tiles.parquet"))
    rows = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    assert rows[:-1] == [256] * (len(rows) - 1)
    assert 0 < rows[-1] <= 256
    image = file.schema_arrow.get_field_index("image")
    assert file.metadata.row_group(0).column(image).compression == "UNCOMPRESSED"


@pytest.mark.slide
def test_the_real_slide_becomes_fields(shared: Path, tile: Tiler) -> None:
    shard = tile(shared / "slides/cmu-1-small-region.svs", scales_mpp={"low": 2.0, "mid": 1.0, "high": 0.5})
    assert shard.info.items_out >= 30
    assert {row.scale: row.mpp for row in shard.records("tiles", Tile)} == {"low": 1.996, "mid": 0.998, "high": 0.499}
    assert 0.3 < shard.info.facts["tissue_share"] < 0.5


# Slides of unusual geometry


def test_a_slide_with_oblong_pixels_gives_square_tissue(
    tmp_path: Path, tile: Tiler, paint: Any, write: Any, small: Any
) -> None:
    path = write(tmp_path / "oblong.tif", paint(2400, 1200), mpp=(0.25, 0.5), vendor="generic")
    shard = tile(path, **(small | {"scales_mpp": {"mid": 2.0, "high": 0.5}}))
    assert shard.info.items_out > 50
    assert {(row.scale, row.box_width_px0, row.box_height_px0) for row in shard.records("tiles", Tile)} == {
        ("mid", 512, 256),
        ("high", 128, 64),
    }
    assert {row.mpp for row in shard.records("tiles", Tile)} == {0.5, 2.0}


def test_a_scale_that_no_level_divides_is_averaged_in_fractions(
    tmp_path: Path, tile: Tiler, paint: Any, write: Any, small: Any
) -> None:
    path = write(tmp_path / "odd.svs", paint(1600, 1200), mpp=0.37, levels=(1, 3))
    shard = tile(path, **(small | {"scales_mpp": {"low": 3.1, "high": 0.5}}))
    plans = shard.info.facts["scales"]
    assert plans["high"]["level"] == 0
    assert plans["high"]["mpp"] == pytest.approx(0.5)
    assert not float(plans["high"]["ratio"][0]).is_integer()
    rows = shard.records("tiles", Tile)
    assert len(rows) == 2 * shard.info.items_out > 100
    with openslide.OpenSlide(path) as slide:
        row = next(row for row in rows if row.scale == "high" and row.tissue_fraction == 1.0)
        region = slide.read_region((row.x_px0, row.y_px0), 0, (row.box_width_px0, row.box_height_px0)).convert("RGB")
    expected = np.asarray(region.resize((64, 64), Image.Resampling.BILINEAR), dtype=np.int16)
    assert np.abs(decoded(row.image) - expected).mean() < 8
