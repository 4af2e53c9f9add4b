from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from skimage.color import rgb2lab

from schemas.records import Tile
from tasks.store import Shard
from tasks.tiling.readers.protocol import Pixels
from tasks.tiling.stain import macenko, macenko_stains, optical_density, reinhard

HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11])


def mixture(count: int = 20_000, seed: int = 0) -> Any:
    """Pixels stained with known amounts of two known stains, shape (count, 3)."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2.0, 0.4, size=(count, 2)) * rng.choice([[1, 0.05], [0.1, 1], [0.7, 0.7]], size=count)
    density = amounts @ np.stack([HAEMATOXYLIN, EOSIN / np.linalg.norm(EOSIN)])
    return np.clip(np.rint(256 * np.exp(-density) - 1), 0, 255).astype(np.uint8)


def padded(colours: Any) -> Pixels:
    side = int(len(colours) ** 0.5)
    pixels: Pixels = np.full((side, side, 4), 255, dtype=np.uint8)
    pixels[..., :3] = colours[: side * side].reshape(side, side, 3)
    return pixels


def test_macenko_finds_the_stains_that_were_mixed() -> None:
    colours = mixture()
    stained = colours[(optical_density(colours) > 0.15).all(axis=1)]
    found = macenko_stains(stained)
    for column, true in ((0, HAEMATOXYLIN), (1, EOSIN)):
        cosine = found[:, column] @ true / np.linalg.norm(true)
        assert cosine > 0.97
    assert np.allclose(np.linalg.norm(found, axis=0), 1.0)


@pytest.mark.parametrize("method", [macenko, reinhard])
def test_two_stainings_of_the_same_tissue_look_alike_afterwards(method: Callable[..., Any]) -> None:
    first = mixture()
    second = np.clip((first / 255.0) ** np.array([1.5, 1.25, 1.4]) * 245, 0, 255).astype(np.uint8)
    results = [method(colours)(padded(colours))[..., :3].reshape(-1, 3) for colours in (first, second)]
    before = np.abs(rgb2lab(first).mean(axis=0) - rgb2lab(second).mean(axis=0)).max()
    after = np.abs(rgb2lab(results[0]).mean(axis=0) - rgb2lab(results[1]).mean(axis=0)).max()
    assert before > 7
    assert after < before / 3


def test_the_table_of_colours_is_close_to_the_formula() -> None:
    colours = mixture()
    unmix = np.linalg.pinv(macenko_stains(colours))
    strongest = np.percentile(optical_density(colours) @ unmix.T, 99, axis=0)
    mix = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]]) * np.array([1.9705, 1.0308]) / strongest
    exact = 256 * np.exp(-(optical_density(colours) @ unmix.T).clip(0) @ mix.T) - 1
    pixels = padded(colours)
    looked_up = macenko(colours)(pixels)[..., :3].reshape(-1, 3)
    error = np.abs(looked_up - exact[: len(looked_up)].clip(0, 255))
    assert error.mean() < 1.0
    assert np.percentile(error, 99) < 4.0


@pytest.mark.parametrize("method", [macenko, reinhard])
def test_glass_stays_white(method: Callable[..., Any]) -> None:
    white: Pixels = np.full((8, 8, 4), 255, dtype=np.uint8)
    assert method(mixture())(white)[..., :3].min() >= 252


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_normalised_tiles_are_marked_by_their_id(
    method: str, plain_slide: Path, tile: Callable[..., Shard], small: Any
) -> None:
    small = small | {"centres": {"kind": "sampled", "max_fields_per_slide": 20}}
    plain = tile(plain_slide, **small).records("tiles", Tile)
    changed = tile(plain_slide, normalisation=method, **small).records("tiles", Tile)
    assert len(plain) == len(changed)
    assert not {row.tile_id for row in plain} & {row.tile_id for row in changed}
    assert sorted(row.focus for row in plain) == sorted(row.focus for row in changed)
    pixels = [simplejpeg.decode_jpeg(rows[9].image, "RGB").astype(float) for rows in (plain, changed)]
    assert np.abs(pixels[0] - pixels[1]).mean() > 3
    again = tile(plain_slide, normalisation=method, **small).records("tiles", Tile)
    assert [row.image for row in again] == [row.image for row in changed]
