"""The stock of pre-drawn textures: what lies between and under the nuclei. Drawn once per process, for all slides.

A texture is an array (2, SIDE + WINDOW_PX[1], SIDE + WINDOW_PX[0]), haematoxylin then eosin, at 0.5 um per pixel. It
tiles without a seam every SIDE pixels and is kept longer than that, so that any window of up to WINDOW_PX is a plain
slice. Amounts are 0 to 255, kept in 16 bits, in which they are mixed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo import cells
from demo.noise import Field, periodic_noise, without_slow_waves
from demo.stamps import PX_PER_UM
from demo.tessellation import Points, jittered_hexagons, two_nearest

SIDE = 1080  # no multiple of a power of two, so that tiles on a regular grid do not repeat
SLOWEST_PX = 120.0  # longest wave in the textures that fill whole regions
GRAIN_PX = 3.2  # of the per-pixel texture: finer costs more bytes than it shows
STOCK_SEED = 20_011
# Distance between the centres of neighbouring tumour cells, in um: a nucleus of 6 or 11 um and its cytoplasm.
CELL_SPACING_UM = {"small": 11.2, "enlarged": 13.8}
FIBROBLASTS = {"desmoplastic": 300, "myxoid": 95}  # per texture of 0.29 mm2

WINDOW_PX = (1024, 576)  # (width, height)

Texture = NDArray[np.int16]


@dataclass(frozen=True)
class Stock:
    """All textures by name, and the centres of the cells drawn in each epithelial sheet (pixels of the texture)."""

    textures: dict[str, Texture]
    centres: dict[str, Points]


@functools.cache
def stock() -> Stock:
    """Return the textures; the first call in a process draws them (about a second)."""
    rng = np.random.default_rng(STOCK_SEED)
    grain = periodic_noise(SIDE, GRAIN_PX, rng)
    textures = {
        "desmoplastic": _desmoplastic(rng, grain),
        "myxoid": _myxoid(rng, grain),
        "necrosis": _necrosis(rng, grain, 74),
        "pale necrosis": _necrosis(rng, grain, 56),
        "lymphoid": _even(rng, grain, 34, 30),
        "germinal": _even(rng, grain, 20, 52),
        "columnar": _columnar(rng, grain),
        "glass": _texture(0.7 + 0.6 * grain, 0.9 + 0.7 * periodic_noise(SIDE, 40, rng)),
    }
    centres = {}
    for size, spacing_um in CELL_SPACING_UM.items():
        textures[size], centres[size] = _sheet(rng, grain, PX_PER_UM * spacing_um)
    more = ((0, 0), (0, WINDOW_PX[1]), (0, WINDOW_PX[0]))
    return Stock({name: np.pad(texture, more, mode="wrap") for name, texture in textures.items()}, centres)


def _texture(haematoxylin: Field, eosin: Field) -> Texture:
    return np.stack([haematoxylin, eosin]).clip(0, 255).astype(np.int16)


def _fibres(bend: Field, cycles: int, kink: Field) -> tuple[Field, Field]:
    """Return wavy parallel fibres in [0, 1], a sine along y bent by smooth noise, and their slope (dy/dx)."""
    rows = np.arange(SIDE, dtype=np.float32)[:, None]
    fibres = 0.5 + 0.5 * np.sin((rows + bend) * np.float32(2 * np.pi * cycles / SIDE) + kink)
    slope_y, slope_x = (np.roll(bend, -4, axis) - np.roll(bend, 4, axis) for axis in (0, 1))
    return fibres, -slope_x / np.maximum(8 + slope_y, 2)


def _with_fibroblasts(texture: Texture, count: int, slope: Field, rng: np.random.Generator) -> Texture:
    """Lay fibroblast nuclei along the fibres."""
    for x, y in rng.integers(0, SIDE, (count, 2)):
        stamp = cells.spindles(1, rng, float(np.arctan(slope[y, x])))[0]
        rows = (np.arange(stamp.shape[1]) + y - stamp.shape[1] // 2) % SIDE
        columns = (np.arange(stamp.shape[2]) + x - stamp.shape[2] // 2) % SIDE
        place = np.ix_((0, 1), rows, columns)
        texture[place] = np.maximum(texture[place], stamp)
    return texture


def _desmoplastic(rng: np.random.Generator, grain: Field) -> Texture:
    bend = 75 * periodic_noise(SIDE, 300, rng) + 12 * periodic_noise(SIDE, 70, rng)
    kink = 1.1 * periodic_noise(SIDE, 24, rng, stretch=3)
    bundles, slope = _fibres(bend, 42, kink)
    fibrils, _ = _fibres(bend, 130, kink)
    clefts = np.clip(0.16 - bundles, 0, 1) * np.clip(periodic_noise(SIDE, 30, rng), 0, 2)
    eosin = 88 + 30 * bundles + 13 * fibrils + 2 * grain - 330 * clefts
    texture = _texture(5 + grain, without_slow_waves(eosin, SLOWEST_PX))
    return _with_fibroblasts(texture, FIBROBLASTS["desmoplastic"], slope, rng)


def _myxoid(rng: np.random.Generator, grain: Field) -> Texture:
    bend = 110 * periodic_noise(SIDE, 260, rng) + 18 * periodic_noise(SIDE, 60, rng)
    wisps, slope = _fibres(bend, 30, 1.5 * periodic_noise(SIDE, 30, rng))
    wisps = wisps**8 * np.clip(periodic_noise(SIDE, 26, rng), 0, 1.5)
    haematoxylin, eosin = 23 + 16 * wisps + 1.5 * grain, 8 + 26 * wisps + 2 * grain
    texture = _texture(without_slow_waves(haematoxylin, SLOWEST_PX), without_slow_waves(eosin, SLOWEST_PX))
    return _with_fibroblasts(texture, FIBROBLASTS["myxoid"], slope, rng)


def _necrosis(rng: np.random.Generator, grain: Field, eosin: float) -> Texture:
    clumps, crumbs = periodic_noise(SIDE, 60, rng), periodic_noise(SIDE, 11, rng)
    haematoxylin = 0.12 * eosin + 4 * crumbs + 1.5 * grain
    return _texture(haematoxylin, eosin + 5 * clumps + 9 * crumbs + 3 * grain)


def _even(rng: np.random.Generator, grain: Field, haematoxylin: float, eosin: float) -> Texture:
    tone = periodic_noise(SIDE, 90, rng)
    return _texture(haematoxylin + 5 * tone + 1.5 * grain, eosin + 7 * tone + 2 * grain)


def _columnar(rng: np.random.Generator, grain: Field) -> Texture:
    foam = periodic_noise(SIDE, 8, rng)
    tone = periodic_noise(SIDE, 100, rng)
    return _texture(20 + 3 * tone + 2 * foam + grain, 68 + 6 * tone + 7 * foam + 2 * grain)


def _sheet(rng: np.random.Generator, grain: Field, spacing_px: float) -> tuple[Texture, Points]:
    """Return a pavement of cells with visible borders, and the centres of its cells."""
    centres = jittered_hexagons((SIDE, SIDE), spacing_px, 0.26, rng, periodic=True)
    shifts = [(dx, dy) for dy in (-SIDE, 0, SIDE) for dx in (-SIDE, 0, SIDE)]
    around = np.concatenate([centres + shift for shift in shifts])
    kept = ((around > -2 * spacing_px) & (around < SIDE + 2 * spacing_px)).all(axis=1)
    x, y = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    nearest, second, owner = two_nearest(x, y, around[kept], 1.6 * spacing_px)
    tone = np.tile(rng.standard_normal(len(centres)).astype(np.float32), len(shifts))[kept][owner]
    gap = second - nearest
    border = np.exp(-((gap / 1.8) ** 2))
    foam = periodic_noise(SIDE, 7, rng)
    eosin = 70 + 5 * tone + 7 * foam + 2 * grain + 22 * border
    return _texture(18 + 3 * tone + 2 * foam + grain + 7 * border, eosin), centres
