from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.tiling.config import SampledCentres, TilingConfig


def test_defaults_are_three_scales_of_sampled_fields() -> None:
    config = TilingConfig()
    assert config.scales_mpp == {"low": 10.0, "mid": 2.5, "high": 0.5}
    assert list(config.scales_mpp) == ["low", "mid", "high"]
    assert config.finest == "high"
    assert isinstance(config.centres, SampledCentres)
    assert config.reader == "auto"
    assert config.normalisation == "none"


def test_scales_are_ordered_whatever_order_they_are_given_in() -> None:
    config = TilingConfig(scales_mpp={"high": 0.5, "low": 4.0})
    assert list(config.scales_mpp) == ["low", "high"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scales_mpp": {}}, "name at least one"),
        ({"scales_mpp": {"low": 0.5, "high": 0.5}}, "low must be coarser"),
        ({"scales_mpp": {"low": 1.0, "mid": 2.0}}, "low must be coarser"),
        ({"scales_mpp": {"high": 0.001}}, "greater than or equal to 0.05"),
        ({"scales_mpp": {"tiny": 0.1}}, "'low', 'mid' or 'high'"),
        ({"tile_px": 8}, "greater than or equal to 32"),
        ({"jpeg_quality": 0}, "greater than or equal to 1"),
        ({"reader": "magic"}, "'native'"),
        ({"centres": {"kind": "everywhere"}}, "everywhere"),
        ({"centres": {"kind": "sampled", "max_fields_per_slide": 0}}, "greater than or equal to 1"),
        ({"centres": {"kind": "grid", "stride_um": 0}}, "greater than 0"),
        ({"thresholds": {"tissue_fraction_min": 1.5}}, "less than or equal to 1"),
        ({"thresholds": {"sharpness": 1}}, "Extra inputs are not permitted"),
        ({"measure_focus": False}, "set thresholds.focus_min"),
        ({"reader": "passthrough", "normalisation": "macenko"}, "normalisation must be none"),
    ],
)
def test_a_value_out_of_range_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TilingConfig.model_validate(values)
