from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from schemas.records import Field, Rejection, Tile
from tasks.store import Shard
from tasks.tiling.focus import focus_and_contrast
from tasks.tiling.overview import ShareMap
from tasks.tiling.tissue import find_folds, find_pen, find_tissue

NOTHING = np.zeros((100, 140), dtype=np.bool_)


def glass(width: int = 140, height: int = 100) -> Any:
    noise = np.random.default_rng(0).normal(0, 1.5, size=(height, width, 1))
    return np.clip(np.array([243, 241, 244]) + noise, 0, 255).astype(np.uint8)


def stained(width: int = 140, height: int = 100) -> Any:
    noise = np.random.default_rng(1).normal(0, 12, size=(height, width, 1))
    return np.clip(np.array([205, 140, 185]) + noise, 0, 255).astype(np.uint8)


def test_glass_is_no_tissue() -> None:
    assert not find_tissue(glass(), exclude=NOTHING, mpp=8.0).any()


def test_a_slide_full_of_tissue_is_all_tissue() -> None:
    assert find_tissue(stained(), exclude=NOTHING, mpp=8.0).all()


def test_pale_and_dark_pieces_are_both_found() -> None:
    image = glass()
    image[20:70, 10:50] = stained()[20:70, 10:50]
    image[20:70, 80:120] = (232, 202, 219)  # pale eosin
    mask = find_tissue(image, exclude=NOTHING, mpp=8.0)
    assert mask[30:60, 20:40].all()
    assert mask[30:60, 90:110].all()
    assert not mask[80:, :].any()
    assert not mask[:, 60:70].any()


def test_debris_is_dropped_and_small_holes_are_filled() -> None:
    image = glass()
    image[20:80, 20:80] = stained()[20:80, 20:80]
    image[48:52, 48:52] = (243, 241, 244)  # a lumen of 32 um
    image[90:94, 120:124] = stained()[90:94, 120:124]  # a speck of 32 um
    mask = find_tissue(image, exclude=NOTHING, mpp=8.0)
    assert mask[49:51, 49:51].all()
    assert not mask[85:, 110:].any()


@pytest.mark.parametrize(
    ("name", "ink"),
    [("green", (40, 150, 90)), ("blue", (40, 70, 190)), ("red", (215, 30, 40)), ("black", (30, 30, 34))],
)
def test_ink_is_found_and_is_no_tissue(name: str, ink: tuple[int, int, int]) -> None:
    image = glass()
    image[20:80, 20:80] = stained()[20:80, 20:80]
    image[10:90, 100:110] = ink
    pen = find_pen(image)
    assert pen[15:85, 102:108].all(), name
    assert not pen[20:80, 20:80].any()
    assert not find_tissue(image, exclude=pen, mpp=8.0)[:, 98:112].any()


def test_stains_are_no_ink() -> None:
    # Haematoxylin, eosin, blood, and dense lymphocytes.
    for colour in ((88, 60, 150), (120, 80, 170), (232, 130, 170), (190, 40, 80), (60, 40, 110)):
        image = np.full((40, 40, 3), colour, dtype=np.uint8)
        assert not find_pen(image).any(), colour


def test_a_fold_is_found_in_tissue_of_any_darkness() -> None:
    for base in ((205, 140, 185), (150, 100, 160)):
        image = np.full((100, 140, 3), base, dtype=np.float64)
        image += np.random.default_rng(2).normal(0, 8, size=(100, 140, 1))
        image[:, 60:70] = image[:, 60:70] ** 2 / 255  # light goes through two layers
        image[:, 60:70] *= 0.75
        folds = find_folds(np.clip(image, 0, 255).astype(np.uint8), np.ones((100, 140), dtype=np.bool_), mpp=8.0)
        assert folds[5:95, 62:68].mean() > 0.9
        assert not folds[:, :55].any()
    assert not find_folds(stained(), np.ones((100, 140), dtype=np.bool_), mpp=8.0).any()


@given(
    box=st.tuples(st.integers(-40, 300), st.integers(-40, 300), st.integers(1, 200), st.integers(1, 200)),
    step=st.sampled_from([1.0, 4.0, 3.7]),
)
def test_the_share_of_a_box_is_the_counted_one(box: tuple[int, int, int, int], step: float) -> None:
    mask = np.random.default_rng(5).random((60, 80)) < 0.4
    x0, y0 = round(box[0] / step), round(box[1] / step)
    x1 = max(x0 + 1, round((box[0] + box[2]) / step))
    y1 = max(y0 + 1, round((box[1] + box[3]) / step))
    covered = mask[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)].sum()
    assert ShareMap(mask, (step, step)).share(box) == pytest.approx(covered / ((x1 - x0) * (y1 - y0)))


def test_focus_falls_with_every_blur(paint: Callable[..., Any]) -> None:
    image = Image.fromarray(paint(256, 256, margin=-0.5))
    values = []
    for radius in (0, 1, 2, 4):
        blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA"))
        values.append(focus_and_contrast(blurred)[0])
    assert values == sorted(values, reverse=True)
    assert values[0] > 100 > values[2]


def test_focus_is_the_variance_of_the_laplacian() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(50, 60, 4), dtype=np.uint8)
    grey = pixels[..., 1].astype(np.float64)
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    focus, contrast = focus_and_contrast(pixels)
    assert focus == pytest.approx(laplacian.var(), rel=1e-6)
    assert contrast == pytest.approx(grey.std(), rel=1e-6)


def test_every_drop_is_counted_under_its_reason(
    tmp_path: Path, tile: Callable[..., Shard], paint: Callable[..., Any], write: Callable[..., Path], small: Any
) -> None:
    image = paint(2400, 1800, margin=0.05)
    part = Image.fromarray(image[600:1000, 400:900]).filter(ImageFilter.GaussianBlur(6))
    image[600:1000, 400:900] = np.asarray(part)  # out of focus
    image[600:1000, 1200:1400] = (30, 140, 80)  # pen
    image[1100:1400, 600:1100] = (222, 160, 195)  # without any structure
    fold = image[1100:1600, 1400:1540].astype(np.float64)
    image[1100:1600, 1400:1540] = (fold**2 / 255 * 0.7).astype(np.uint8)
    path = write(tmp_path / "flaws.svs", image, levels=(1, 4, 16), quality=92)
    shard = tile(path, **(small | {"scales_mpp": {"high": 0.5}}))
    rejections = shard.records("rejections", Rejection)
    counts = Counter(row.reason for row in rejections)
    assert counts["blurred"] >= 20
    assert counts["blank"] >= 15
    assert counts["fold"] >= 6
    assert counts["pen_ink"] + counts["low_tissue"] + counts["background"] >= 12
    assert counts["pen_ink"] > 0
    assert shard.info.items_in == shard.info.items_out + len(rejections)
    for row in shard.records("fields", Field):
        assert not (432 < row.centre_x_px0 < 868 and 632 < row.centre_y_px0 < 968)
        assert not (1232 < row.centre_x_px0 < 1368 and 632 < row.centre_y_px0 < 968)
    for tile_row in shard.records("tiles", Tile):
        assert tile_row.tissue_fraction >= 0.5
        assert tile_row.pen_fraction <= 0.05
        assert tile_row.focus >= 25
