from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from review_app.deep_zoom import SlideShelf, WholeSlide, levels
from review_app.scale_bar import bar_um, in_words, magnification
from tests.review_app.conftest import SIZE, draw_slide


def pixels(image: bytes | None) -> np.ndarray[Any, Any]:
    assert image is not None
    return np.asarray(Image.open(io.BytesIO(image))).astype(int)


def test_tiles_of_the_finest_level_are_the_slides_pixels(tmp_path: Path) -> None:
    drawn = draw_slide(tmp_path / "s.tiff").astype(int)
    slide = WholeSlide(tmp_path / "s.tiff")
    assert slide.finest == levels(*SIZE) == 11
    for column, row in ((0, 0), (3, 2), (5, 3)):
        expected = drawn[row * 256 : row * 256 + 256, column * 256 : column * 256 + 256]
        assert np.abs(pixels(slide.tile(11, column, row)) - expected).mean() < 3


def test_coarser_levels_show_the_whole_and_end_with_it(tmp_path: Path) -> None:
    drawn = draw_slide(tmp_path / "s.tiff").astype(int)
    slide = WholeSlide(tmp_path / "s.tiff")
    mean = drawn.reshape(256, 4, 384, 4, 3).mean((1, 3))
    whole = np.concatenate([pixels(slide.tile(9, column, 0)) for column in (0, 1)], axis=1)
    assert whole.shape == mean.shape
    assert np.abs(whole - mean).mean() < 4
    assert slide.tile(9, 2, 0) is None
    assert slide.tile(12, 0, 0) is None
    assert slide.tile(-1, 0, 0) is None
    assert pixels(slide.tile(0, 0, 0)).shape == (1, 1, 3)


def test_a_file_that_is_no_slide_is_an_error_and_a_missing_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "s.svs").write_bytes(b"not a slide" * 99)
    shelf = SlideShelf(tmp_path)
    with pytest.raises(OSError, match="no reader opens"):
        shelf.tile("s.svs", 0, 0, 0)
    assert shelf.tile("t.svs", 0, 0, 0) is None
    assert SlideShelf(None).tile("s.svs", 0, 0, 0) is None


@pytest.mark.slide
def test_a_real_slide_is_shown_and_one_that_breaks_off_is_an_error(shared: Path) -> None:
    slide = WholeSlide(shared / "slides" / "cmu-1-small-region.svs")
    assert slide.size == (2220, 2967)
    whole = pixels(slide.tile(8, 0, 0))
    assert whole.shape == (186, 139, 3)
    finest = pixels(slide.tile(12, 4, 5))
    assert np.abs(finest.mean((0, 1)) - whole[80:96, 64:80].mean((0, 1))).max() < 40
    with pytest.raises(OSError, match=r"cannot be read|no reader opens"):
        WholeSlide(shared / "slides" / "unreadable.svs").tile(4, 0, 0)


@pytest.mark.parametrize(("width", "bar"), [(1920, 500), (480, 100), (96, 20), (2.5, 1), (12.5, 5)])
def test_scale_bars_are_round(width: float, bar: float) -> None:
    assert bar_um(width) == bar


def test_lengths_and_magnifications_in_words() -> None:
    assert [in_words(500.0), in_words(2000.0), magnification(0.25), magnification(2.5)] == [
        "500 µm",
        "2 mm",
        "40×",
        "4×",
    ]
