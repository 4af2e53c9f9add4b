from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import InputError
from training.config import TrainingConfig
from training.front_end import DYE_SCALE, EOSIN, HAEMATOXYLIN, bands, describe, dyes, features


def discs(count: int, radius: int, seed: int, side: int = 128) -> np.ndarray:
    """Dark discs on a pale ground."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    image = np.full((side, side, 3), 235, dtype=np.uint8)
    for centre in draws.integers(0, side, size=(count, 2)):
        image[np.hypot(x - centre[0], y - centre[1]) <= radius] = (70, 40, 120)
    return image


def test_a_pure_dye_is_unmixed_into_itself_alone() -> None:
    for place, dye in enumerate((HAEMATOXYLIN, EOSIN)):
        direction = np.array(dye) / np.linalg.norm(dye)
        colour = np.rint(256 * 10 ** -(0.8 * direction) - 1).astype(np.uint8)
        amounts = dyes(torch.from_numpy(colour).view(1, 3, 1, 1).expand(1, 3, 4, 4))[0, :, 0, 0].tolist()
        assert amounts[place] == pytest.approx(0.8 * DYE_SCALE, abs=4)
        assert amounts[1 - place] <= 4


def test_a_structure_stands_in_the_band_of_its_size() -> None:
    maps = torch.zeros(1, 1, 128, 128, dtype=torch.uint8)
    maps[..., 60:66, 60:66] = 200  # 6 px: an opening by 7 removes it, one by 5 does not
    amounts = bands(maps).float().sum(dim=(2, 3))[0]
    dense = amounts[1::2].tolist()
    assert dense == [0, 0, 36 * 200, 0, 0, 0]
    assert bands(255 - maps).float().sum(dim=(2, 3))[0][2::2].tolist() == dense


def test_a_descriptor_tells_size_and_number_whatever_the_places() -> None:
    few, many, large = (
        torch.stack([describe(discs(count, radius, seed)) for seed in range(4)])
        for count, radius in ((12, 3), (60, 3), (12, 8))
    )
    within = torch.cdist(few, few).max()
    assert torch.cdist(few, many).min() > within
    assert torch.cdist(few, large).min() > within


def test_a_tile_turned_by_a_quarter_keeps_its_descriptor_nearly() -> None:
    tile = discs(30, 4, 1)
    turned = describe(np.ascontiguousarray(np.rot90(tile)))
    assert torch.dist(describe(tile), turned) < 0.1 * torch.dist(describe(tile), describe(discs(60, 3, 1)))
    assert len(turned) == features()


def test_a_tile_too_small_for_the_front_end_is_one_clear_error() -> None:
    with pytest.raises(InputError, match="too small for the front end"):
        describe(np.zeros((64, 64, 3), dtype=np.uint8))


def test_an_encoder_with_nothing_to_look_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to look at"):
        TrainingConfig(front_end="none", width=0)
