from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.tiling.planes import PixelCache, ReducedPlane
from tasks.tiling.readers.protocol import Pixels
from tasks.tiling.resample import area_average, source_span


def exact_mean(pixels: Pixels, start: float, length: int, ratio: float, axis: int) -> Any:
    """Average along one axis in double precision, pixel by pixel, as the definition says."""
    first, _ = source_span(int(start), length, ratio)
    source = np.moveaxis(pixels.astype(np.float64), axis, 0)
    result = []
    for target in range(length):
        low, high = (start + target) * ratio - first, (start + target + 1) * ratio - first
        total = np.zeros(source.shape[1:])
        for index in range(math.floor(low), min(math.ceil(high), len(source))):
            total += source[index] * (min(high, index + 1) - max(low, index))
        result.append(total / (min(high, len(source)) - low))
    return np.moveaxis(np.asarray(result), 0, axis)


@settings(max_examples=60)
@given(
    start=st.tuples(st.integers(0, 500), st.integers(0, 500)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    ratio=st.tuples(st.floats(1.0, 9.0), st.floats(1.0, 9.0)),
    seed=st.integers(0, 99),
)
def test_any_ratio_is_the_mean_of_the_area_within_one_grey_level(
    start: tuple[int, int], size: tuple[int, int], ratio: tuple[float, float], seed: int
) -> None:
    width, height = source_span(start[0], size[0], ratio[0])[1], source_span(start[1], size[1], ratio[1])[1]
    pixels = np.random.default_rng(seed).integers(0, 256, size=(height, width, 4), dtype=np.uint8)
    got = area_average(pixels, start, size, ratio)
    expected = exact_mean(exact_mean(pixels, start[1], size[1], ratio[1], 0), start[0], size[0], ratio[0], 1)
    assert got.shape == (size[1], size[0], 4)
    assert np.abs(got - expected).max() <= 1.0


@settings(max_examples=40)
@given(ratio=st.tuples(st.integers(1, 20), st.integers(1, 20)), size=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_whole_ratios_are_means_of_whole_blocks(ratio: tuple[int, int], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(ratio[0] * 100 + ratio[1])
    pixels = rng.integers(0, 256, size=(size[1] * ratio[1], size[0] * ratio[0], 4), dtype=np.uint8)
    got = area_average(pixels, (7, 3), size, (float(ratio[0]), float(ratio[1])))
    blocks = pixels.reshape(size[1], ratio[1], size[0], ratio[0], 4).mean(axis=(1, 3))
    assert np.abs(got - blocks).max() <= 0.5


@pytest.mark.parametrize("ratio", [(16, 16), (257, 1), (1, 257)])
def test_white_stays_white_whether_or_not_sums_fit_16_bits(ratio: tuple[int, int]) -> None:
    pixels = np.full((ratio[1] * 2, ratio[0] * 2, 4), 255, dtype=np.uint8)
    assert (area_average(pixels, (0, 0), (2, 2), (float(ratio[0]), float(ratio[1]))) == 255).all()


def test_means_are_neither_brighter_nor_darker_on_the_whole() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(1100, 1100, 4), dtype=np.uint8)
    for ratio in (5.0, 4.0, 2.2):
        side = int(1100 / ratio)
        got = area_average(
            pixels[: math.ceil(side * ratio), : math.ceil(side * ratio)], (0, 0), (side, side), (ratio, ratio)
        )
        assert abs(float(got.mean()) - float(pixels.mean())) < 0.1


@given(value=st.integers(0, 255), ratio=st.floats(1.0, 30.0))
def test_one_colour_stays_that_colour(value: int, ratio: float) -> None:
    width = source_span(5, 8, ratio)[1]
    pixels = np.full((width, width, 4), value, dtype=np.uint8)
    assert (area_average(pixels, (5, 5), (8, 8), (ratio, ratio)) == value).all()


class Memory:
    """A plane held in memory."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def window(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Return a box, white outside."""
        result = np.full((height, width, 4), 255, dtype=np.uint8)
        left, top, right, bottom = max(0, x), max(0, y), min(self.width, x + width), min(self.height, y + height)
        if left < right and top < bottom:
            result[top - y : bottom - y, left - x : right - x] = self.pixels[top:bottom, left:right]
        return result


@settings(max_examples=60)
@given(
    ratio=st.one_of(st.integers(1, 7).map(float), st.floats(1.0, 7.0)),
    piece=st.sampled_from([0, 5, 16, 64]),
    box=st.tuples(st.integers(-30, 90), st.integers(-30, 90), st.integers(1, 60), st.integers(1, 60)),
)
def test_a_window_does_not_depend_on_the_pieces_that_are_kept(
    ratio: float, piece: int, box: tuple[int, int, int, int]
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, size=(333, 411, 4), dtype=np.uint8)
    parent = Memory(pixels)
    plane = ReducedPlane(parent, (ratio, ratio), piece, PixelCache(1 << 20))
    whole = ReducedPlane(parent, (ratio, ratio), 10_000, PixelCache(1 << 30)).window(0, 0, plane.width, plane.height)
    x, y, width, height = box
    assert np.array_equal(plane.window(*box), Memory(whole).window(x, y, width, height))


def test_the_cache_never_holds_more_than_its_limit() -> None:
    cache = PixelCache(10_000)

    for number in range(30):
        piece = np.full((25, 25, 4), number, dtype=np.uint8)
        assert cache.put((0, number, 0), piece) is piece
        assert cache.held_bytes <= 10_000
    last = cache.held((0, 29, 0))
    assert last is not None
    assert (last == 29).all()
    assert cache.held((0, 0, 0)) is None
