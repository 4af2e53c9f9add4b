from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.records.shared import Scale
from tasks.tiling.centres import grid_origins
from tasks.tiling.config import MPP_MAX, MPP_MIN, TilingConfig
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.fields import inside_fraction
from tasks.tiling.readers.protocol import Level, SlideGeometry, true_downsample
from tasks.tiling.scales import ScalePlan, plan_scales, slide_mpp

Bounds = tuple[int, int, int, int]


def geometry_of(width: int, height: int, downsamples: tuple[float, ...], bounds: Bounds | None = None) -> SlideGeometry:
    levels = []
    for factor in downsamples:
        level_width, level_height = int(width / factor), int(height / factor)
        down_x, down_y = true_downsample(width, level_width), true_downsample(height, level_height)
        levels.append(Level(level_width, level_height, down_x, down_y, 256, 256))
    return SlideGeometry("test", tuple(levels), 0.5, 0.5, bounds=bounds or (0, 0, width, height))


def config_of(scales: dict[Scale, float], **values: object) -> TilingConfig:
    return TilingConfig.model_validate({"scales_mpp": scales, "thresholds": {"inside_fraction_min": 0}, **values})


@settings(max_examples=200)
@given(
    mpp=st.tuples(st.floats(0.12, 0.5), st.floats(0.12, 0.5)),
    downsamples=st.sampled_from([(1.0,), (1.0, 4.0), (1.0, 4.0, 16.0), (1.0, 1.99999, 3.9999), (1.0, 2.0005, 7.3)]),
    coarse=st.tuples(st.floats(5.0, 20.0), st.floats(1.1, 4.0)),
    tile_px=st.sampled_from([64, 224, 255, 256, 512]),
    centre=st.tuples(st.floats(0, 100_000), st.floats(0, 80_000)),
)
def test_tiles_of_a_field_share_its_centre(
    mpp: tuple[float, float],
    downsamples: tuple[float, ...],
    coarse: tuple[float, float],
    tile_px: int,
    centre: tuple[float, float],
) -> None:
    config = config_of({"low": coarse[0], "mid": coarse[1], "high": 0.55}, tile_px=tile_px)
    plans = plan_scales(geometry_of(100_003, 80_001, downsamples), mpp, config)
    assert [plan.scale for plan in plans] == ["high", "mid", "low"]
    exact = plans[0].centre(plans[0].origin(centre))
    for plan in plans:
        got = plan.centre(plan.origin(exact))
        for axis in range(2):
            assert abs(got[axis] - exact[axis]) <= plan.step_px0[axis] / 2 + 1e-6


@settings(max_examples=200)
@given(
    mpp=st.floats(0.06, 2.0),
    target=st.floats(2.0, 30.0),
    downsamples=st.sampled_from([(1.0,), (1.0, 4.0, 16.0), (1.0, 1.99999), (1.0, 2.0005, 4.1, 8.3)]),
    tolerance=st.sampled_from([0.0, 0.005, 0.01]),
)
def test_the_true_scale_is_the_wanted_one_within_the_tolerance(
    mpp: float, target: float, downsamples: tuple[float, ...], tolerance: float
) -> None:
    config = config_of({"high": target}, ratio_tolerance=tolerance)
    (plan,) = plan_scales(geometry_of(60_000, 60_000, downsamples), (mpp, mpp), config)
    assert abs(plan.mpp - target) <= target * tolerance + 1e-9
    assert min(plan.ratio) >= 1.0 - tolerance
    assert plan.mpp == pytest.approx(plan.step_px0[0] * mpp)
    width, height = plan.extent_px0
    assert abs(width * mpp / plan.tile_px - plan.mpp) <= mpp / plan.tile_px
    assert width == height


def test_a_level_is_taken_where_its_pixels_divide_the_scale() -> None:
    config = config_of({"low": 10.0, "mid": 2.5, "high": 0.5})
    high, mid, low = plan_scales(geometry_of(40_960, 40_960, (1, 4, 16)), (0.5, 0.5), config)
    assert (high.level, high.ratio) == (0, (1.0, 1.0))
    assert (mid.level, mid.ratio) == (0, (5.0, 5.0))  # from level 4x it would be a quarter pixel of blur
    assert (low.level, low.ratio) == (1, (5.0, 5.0))


def test_a_missing_level_is_replaced_by_a_finer_one() -> None:
    config = config_of({"low": 8.0})
    (from_level,) = plan_scales(geometry_of(40_960, 40_960, (1, 4, 16)), (0.5, 0.5), config)
    (from_slide,) = plan_scales(geometry_of(40_960, 40_960, (1,)), (0.5, 0.5), config)
    assert (from_level.level, from_level.ratio) == (2, (1.0, 1.0))
    assert (from_slide.level, from_slide.ratio) == (0, (16.0, 16.0))
    assert from_level.step_px0 == from_slide.step_px0


def test_anisotropic_slides_get_square_micrometres() -> None:
    config = config_of({"high": 1.0})
    (plan,) = plan_scales(geometry_of(20_000, 20_000, (1,)), (0.25, 0.5), config)
    assert plan.ratio == (4.0, 2.0)
    assert plan.extent_px0 == (1024, 512)


def test_a_ratio_within_the_tolerance_of_a_whole_one_is_that_and_the_true_scale_is_the_mean_of_both_axes() -> None:
    (plan,) = plan_scales(geometry_of(20_000, 20_000, (1,)), (0.25, 0.2515), config_of({"high": 1.0}))
    assert plan.ratio == (4.0, 4.0)
    assert plan.mpp == pytest.approx(1.003)


@pytest.mark.parametrize(
    ("full", "reduced", "expected"),
    [(46_000, 11_500, 4.0), (32_914, 8228, 4.0), (32_914, 8229, 4.0), (1000, 500, 2.0), (1000, 490, 1000 / 490)],
)
def test_a_cut_off_level_keeps_its_true_ratio(full: int, reduced: int, expected: float) -> None:
    assert true_downsample(full, reduced) == expected


@pytest.mark.parametrize(
    ("mpp", "override", "reason"),
    [(None, None, "missing_mpp"), (1000.0, None, "mpp_out_of_range"), (0.001, None, "mpp_out_of_range")],
)
def test_a_slide_without_a_believable_resolution_is_refused(mpp: float | None, override: None, reason: str) -> None:
    geometry = SlideGeometry("test", (Level(9, 9, 1.0, 1.0, 9, 9),), mpp, mpp)
    with pytest.raises(RefusedSlideError) as caught:
        slide_mpp(geometry, override)
    assert caught.value.reason == reason
    assert slide_mpp(geometry, 0.25) == (0.25, 0.25)


def test_each_axis_keeps_its_resolution_and_needs_one() -> None:
    def of(mpp_x: float | None, mpp_y: float | None) -> tuple[float, float]:
        return slide_mpp(SlideGeometry("test", (Level(9, 9, 1.0, 1.0, 9, 9),), mpp_x, mpp_y), None)

    assert of(MPP_MIN, MPP_MAX) == (MPP_MIN, MPP_MAX)
    with pytest.raises(RefusedSlideError, match="does not say how many micrometres"):
        of(0.5, None)


@pytest.mark.parametrize("mpp", [(0.5, 0.5), (0.2, 0.5), (0.5, 0.2)])
def test_a_slide_is_never_magnified_along_any_axis(mpp: tuple[float, float]) -> None:
    with pytest.raises(RefusedSlideError, match="coarser than scale high") as caught:
        plan_scales(geometry_of(9000, 9000, (1,)), mpp, config_of({"high": 0.25}))
    assert caught.value.reason == "mpp_out_of_range"


def test_a_slide_smaller_than_half_a_tile_is_refused() -> None:
    config = TilingConfig(scales_mpp={"low": 10.0, "high": 0.5})
    with pytest.raises(RefusedSlideError, match="2560 x 2560 um and the slide 1000 x 1000 um") as caught:
        plan_scales(geometry_of(2000, 2000, (1,)), (0.5, 0.5), config)
    assert caught.value.reason == "too_small"


@pytest.mark.parametrize(("width", "height"), [(128, 256), (256, 128), (128, 9000)])
def test_a_slide_of_just_the_wanted_share_of_a_tile_is_kept(width: int, height: int) -> None:
    config = config_of({"high": 0.5}, tile_px=256, thresholds={"inside_fraction_min": 0.5})
    assert plan_scales(geometry_of(width, height, (1,)), (0.5, 0.5), config)
    for less in ((width - 1, height), (width, height - 1)):
        if min(less) < 128 or max(less) < 256:
            with pytest.raises(RefusedSlideError, match="too small"):
                plan_scales(geometry_of(*less, (1,)), (0.5, 0.5), config)


@settings(max_examples=150)
@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    corner=st.tuples(st.integers(0, 2000), st.integers(0, 2000)),
    stride_um=st.one_of(st.none(), st.floats(5.0, 400.0)),
    step=st.sampled_from([1.0, 2.0, 1.37]),
)
def test_the_grid_covers_the_bounds_once(
    width: int, height: int, corner: tuple[int, int], stride_um: float | None, step: float
) -> None:
    plan = ScalePlan("high", 0.5 * step, 0, (step, step), (step, step), 256)
    bounds = (*corner, width, height)
    stride = 256 if stride_um is None else max(1, round(stride_um / plan.mpp))
    assume(width * height / (stride * step) ** 2 < 20_000)
    origins = grid_origins(plan, bounds, stride_um)
    assert len(set(origins)) == len(origins)
    columns, rows = sorted({x for x, _ in origins}), sorted({y for _, y in origins})
    assert origins == [(x, y) for y in rows for x in columns]
    for starts, first, length in ((columns, corner[0], width), (rows, corner[1], height)):
        assert all(right - left == stride for left, right in itertools.pairwise(starts))
        assert starts[0] == round(first / step)
        centres = [(start + 128) * step for start in starts]
        assert all(first - step <= centre < first + length for centre in centres[1:])
        assert centres[-1] + stride * step >= first + length - 1e-6


def test_the_smallest_slides_and_strides_give_a_grid_and_so_does_a_centre_just_inside() -> None:
    plan = ScalePlan("high", 0.5, 0, (1.0, 1.0), (1.0, 1.0), 256)
    assert grid_origins(plan, (10, 0, 100, 60), None) == [(10, 0)]
    assert grid_origins(plan, (0, 0, 130, 129), 0.1) == [(0, 0), (1, 0)]
    coarse = ScalePlan("high", 0.685, 0, (1.37, 1.37), (1.37, 1.37), 256)
    assert grid_origins(coarse, (0, 0, 527, 526), None) == [(0, 0), (256, 0)]  # its centre is at 526.08


def test_dense_overlap_gives_no_tile_outside_the_slide() -> None:
    # A stride below half a tile made tiles outside the slide in a well-tested library.
    plan = ScalePlan("high", 0.5, 0, (1.0, 1.0), (1.0, 1.0), 256)
    bounds = (0, 0, 2000, 1500)
    for x, y in grid_origins(plan, bounds, 128 * 0.5 / 3):
        assert inside_fraction(plan.box_px0((x, y)), bounds) > 0.25


@given(
    box=st.tuples(st.integers(-50, 150), st.integers(-50, 150), st.integers(1, 90), st.integers(1, 90)),
    bounds=st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 80), st.integers(1, 80)),
)
def test_the_share_inside_is_the_counted_one(box: Bounds, bounds: Bounds) -> None:
    def covers(axis: int) -> int:
        inside = range(bounds[axis], bounds[axis] + bounds[axis + 2])
        return sum(pixel in inside for pixel in range(box[axis], box[axis] + box[axis + 2]))

    assert math.isclose(inside_fraction(box, bounds), covers(0) * covers(1) / (box[2] * box[3]))
