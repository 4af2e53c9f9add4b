from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from training.surroundings import RANKS, surroundings

SIDE = 160
KINDS = 5


def tile(*, spots_in_dense: bool, gain: float = 1.0) -> npt.NDArray[np.uint8]:
    """Left half rich in haematoxylin, right half in eosin, and spots of 3 px in one of the halves."""
    draws = np.random.default_rng(4)
    dyes = draws.normal(0, 2, (2, SIDE, SIDE))
    dyes[0] += np.where(np.arange(SIDE) < SIDE // 2, 90, 30)
    dyes[1] += np.where(np.arange(SIDE) < SIDE // 2, 40, 100)
    start = 10 if spots_in_dense else SIDE // 2 + 10
    for row, column in zip(draws.integers(10, SIDE - 10, 40), start + draws.integers(0, 60, 40), strict=True):
        dyes[0, row - 1 : row + 2, column - 1 : column + 2] = 200
    return (dyes * gain).clip(0, 255).astype(np.uint8)


def table(dyes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return surroundings(dyes).reshape(KINDS, -1, len(RANKS) + 1)


def test_spots_in_dense_tissue_rank_high_in_haematoxylin_around_and_low_in_eosin() -> None:
    dense, pale = (table(tile(spots_in_dense=where))[0] for where in (True, False))
    nuclear, plasma, half = 1, 3, RANKS.index(0.5)
    assert dense[nuclear, half] < 0.1 < pale[nuclear, half] - 0.8
    assert pale[plasma, half] < 0.1 < dense[plasma, half] - 0.8
    assert dense[nuclear, -1] > 0 > pale[nuclear, -1]


def test_a_stronger_stain_hardly_changes_the_ranks() -> None:
    plain, strong, elsewhere = (
        surroundings(tile(spots_in_dense=where, gain=gain)) for where, gain in ((True, 1), (True, 1.2), (False, 1))
    )
    assert np.abs(plain - strong).mean() < 0.1 * np.abs(plain - elsewhere).mean()


@pytest.mark.parametrize("amount", [0, 255])
def test_tiles_without_tissue_or_without_contrast_have_a_finite_descriptor(amount: int) -> None:
    assert np.isfinite(surroundings(np.full((2, 96, 96), amount, np.uint8))).all()
