"""The fast readers against OpenSlide: level 0 is bit-identical wherever a window lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openslide
import pytest
import tifffile

from tasks.tiling.config import ReaderName
from tasks.tiling.planes import LevelPlane, PixelCache
from tasks.tiling.readers.choice import explain_reader, open_reader

FORMS: dict[str, dict[str, Any]] = {
    "ycbcr 420, 256 px": {},
    "ycbcr 422": {"subsampling": (2, 1)},
    "ycbcr 444": {"subsampling": (1, 1)},
    "rgb": {"photometric": "rgb"},
    "240 px": {"tile": 240},
    "512 px": {"tile": 512},
    "bigtiff": {"bigtiff": True},
    "generic tiff": {"vendor": "generic"},
    "generic bigtiff rgb 240 px": {"vendor": "generic", "bigtiff": True, "photometric": "rgb", "tile": 240},
}
OPENSLIDE_FORMS: dict[str, dict[str, Any]] = {
    "jpeg 2000": {"compression": "aperio_jp2000_rgb"},
    "uncompressed": {"vendor": "generic", "compression": "none"},
    "lzw": {"vendor": "generic", "compression": "lzw"},
}
WINDOWS = 72  # of each of 12 forms and of the real slide through two readers: 1,008, and every corner


def _boxes(width: int, height: int) -> list[tuple[int, int, int, int]]:
    rng = np.random.default_rng(3)
    boxes = []
    for _ in range(WINDOWS):
        box_width, box_height = (int(side) for side in rng.integers(1, 400, size=2))
        boxes.append(
            (int(rng.integers(0, width - box_width)), int(rng.integers(0, height - box_height)), box_width, box_height)
        )
    return [*boxes, (0, 0, 9, 9), (width - 9, 0, 9, 9), (0, height - 9, 9, 9), (width - 9, height - 9, 9, 9)]


def _check(path: Path, reader_name: str, wanted: ReaderName = "auto") -> None:
    reader, choice = open_reader(str(path), wanted)
    assert choice.reader == reader_name, choice.reason
    plane = LevelPlane(reader, 0, PixelCache(8 << 20))
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (plane.width, plane.height)
        for x, y, width, height in _boxes(plane.width, plane.height):
            expected = np.asarray(slide.read_region((x, y), 0, (width, height)))
            assert np.array_equal(plane.window(x, y, width, height)[..., :3], expected[..., :3]), (x, y, width, height)
    reader.close()


@pytest.mark.parametrize("form", FORMS)
def test_native_pixels_are_those_of_openslide(
    form: str, tmp_path: Path, paint: Callable[..., Any], write: Callable[..., Path]
) -> None:
    _check(write(tmp_path / "slide.svs", paint(1111, 777), **FORMS[form]), "native")


@pytest.mark.parametrize("form", OPENSLIDE_FORMS)
def test_other_forms_fall_back_to_openslide(
    form: str, tmp_path: Path, paint: Callable[..., Any], write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "slide.svs", paint(1111, 777), **OPENSLIDE_FORMS[form])
    with openslide.OpenSlide(path) as slide:
        assert slide.level_count >= 1
    _check(path, "openslide")


@pytest.mark.parametrize("compression", ["jpeg", "lzw", "none"])
def test_stripped_slides_which_openslide_refuses_are_read_by_tiffslide(
    compression: str, tmp_path: Path, paint: Callable[..., Any], write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "slide.tif", paint(1111, 777), tile=None, levels=(1,), compression=compression)
    with pytest.raises(openslide.OpenSlideUnsupportedFormatError):
        openslide.OpenSlide(path)
    reader, choice = open_reader(str(path))
    assert choice.reader == "tiffslide"
    plane, expected = LevelPlane(reader, 0, PixelCache(8 << 20)), tifffile.imread(path)
    for x, y, width, height in _boxes(plane.width, plane.height):
        assert np.array_equal(plane.window(x, y, width, height)[..., :3], expected[y : y + height, x : x + width])
    reader.close()


@pytest.mark.slide
@pytest.mark.parametrize(
    ("wanted", "name"), [("auto", "native"), ("openslide", "openslide"), ("tiffslide", "tiffslide")]
)
def test_the_real_slide_reads_alike_through_every_reader(shared: Path, wanted: ReaderName, name: str) -> None:
    _check(shared / "slides/cmu-1-small-region.svs", name, wanted)


@pytest.fixture(scope="module")
def odd_slide(tmp_path_factory: pytest.TempPathFactory, paint: Callable[..., Any]) -> Path:
    """A pyramid of 1, 4 and 16 of whose sides none is a multiple, cut as scanners cut: what is left over is dropped."""
    pixels = cv2.GaussianBlur(paint(4099, 3075), (0, 0), 6)
    path = tmp_path_factory.mktemp("odd") / "odd.tif"
    tiles: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        for factor in (1, 4, 16):
            width, height = 4099 // factor, 3075 // factor
            whole = pixels[: height * factor, : width * factor]
            level = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
            writer.write(level, **tiles, subfiletype=int(factor > 1), resolution=(20_000 / factor,) * 2)
    return path


@pytest.mark.parametrize("level", [0, 1])
def test_lower_levels_are_read_whole(
    level: int, tmp_path: Path, paint: Callable[..., Any], write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "slide.svs", paint(1111, 777), levels=(1, 4))
    reader, _ = open_reader(str(path))
    place = reader.geometry.levels[level]
    pixels = LevelPlane(reader, level, PixelCache(8 << 20)).window(0, 0, place.width, place.height)
    with openslide.OpenSlide(path) as slide:
        expected = np.asarray(slide.read_region((0, 0), level, (place.width, place.height)))
    assert np.array_equal(pixels[..., :3], expected[..., :3])


@pytest.mark.parametrize(("wanted", "tolerance"), [("native", 0.0), ("tiffslide", 0.0), ("openslide", 1.5)])
@pytest.mark.parametrize("level", [1, 2])
def test_levels_that_do_not_divide_the_slide_are_read_in_place(
    level: int, wanted: ReaderName, tolerance: float, odd_slide: Path
) -> None:
    reader, _ = open_reader(str(odd_slide), wanted)
    with tifffile.TiffFile(odd_slide) as tiff:
        page: Any = tiff.pages[level]
        stored = page.asarray().astype(int)
    place = reader.geometry.levels[level]
    assert (place.height, place.width) == stored.shape[:2]
    for row in range(place.rows):
        for column in range(place.columns):
            x, y = column * place.block_width, row * place.block_height
            expected = stored[y : y + place.block_height, x : x + place.block_width]
            found = reader.block(level, column, row)[..., :3]
            # OpenSlide takes whole level-0 pixels and blurs by what is left; a level pixel off is 5 to 30 grey levels.
            assert np.abs(found - expected).mean() <= tolerance, (column, row)
    reader.close()


def test_the_choice_is_explained(tmp_path: Path, plain_slide: Path, paint: Callable[..., Any], write: Any) -> None:
    assert "JPEG tiles of 256x256 px" in explain_reader(plain_slide).reason
    other = write(tmp_path / "j2k.svs", paint(400, 300), compression="aperio_jp2000_rgb", levels=(1,))
    choice = explain_reader(other)
    assert choice.reader == "openslide"
    assert "APERIO_JP2000_RGB is not JPEG" in choice.reason
    unknown = write(tmp_path / "other.svs", paint(400, 300), compression="jpeg2000", levels=(1,))
    choice = explain_reader(unknown)
    assert choice.reader == "tiffslide"
    assert "Unsupported TIFF compression" in choice.reason
    assert explain_reader(plain_slide, "tiffslide").reason == "asked for"
