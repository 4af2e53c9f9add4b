"""Cells and small structures as stamps: pairs of haematoxylin and eosin drawn once and set down many times.

A *grain* is an array (2, h, w) of uint8 that is laid over tissue by taking the larger amount of dye at every pixel. A
*patch* has a third plane, its opacity, and replaces what is under it; mitoses and vessels are patches.
All sizes are in um; one pixel is 0.5 um.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.noise import Field

PX_PER_UM = 2.0
SOFT_PX = 1.8  # over which an outline fades, as a scanner's optics make it
ORIENTATIONS = 12  # a half turn in steps of 15 degrees
NUCLEUS_UM = {"small": 6.2, "enlarged": 10.6}

Stamp = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """How the nuclei of a region look, from its attributes."""

    diameter_um: float
    marked: bool
    prominent: bool
    elongation: float


def nucleus_bank(look: Look, variants: int, rng: np.random.Generator) -> list[list[Stamp]]:
    """Return grains of tumour nuclei: for each of `ORIENTATIONS`, `variants` of them."""
    turns = np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS
    return [[_nucleus(look, float(turn), rng) for _ in range(variants)] for turn in turns]


def _nucleus(look: Look, turn: float, rng: np.random.Generator) -> Stamp:
    """Return one nucleus: outline by random harmonics, chromatin rim, coarse chromatin, nucleolus."""
    scale = float(np.clip(rng.lognormal(0.0, 0.3), 0.6, 1.6)) if look.marked else rng.uniform(0.94, 1.06)
    stretch = look.elongation * (rng.uniform(0.85, 1.5) if look.marked else rng.uniform(0.95, 1.08))
    turn += rng.normal(0, 0.5 if look.marked else 0.12)
    darkness = rng.uniform(0.78, 1.3) if look.marked else rng.uniform(0.95, 1.05)
    radius = 0.5 * look.diameter_um * scale * PX_PER_UM
    depth, centre = _outline(radius, stretch, turn, 0.13 if look.marked else 0.025, rng)
    chromatin = _blotches(depth.shape, rng)
    rim = np.exp(-(((depth - 1.0) / 1.2) ** 2))
    if look.prominent:
        haematoxylin = 66 * darkness + 56 * rim + 8 * chromatin
    else:
        haematoxylin = 104 * darkness + 20 * rim + 11 * chromatin
    eosin = np.full(depth.shape, 22.0)
    if look.prominent:
        spots = 2 if look.marked and rng.random() < 0.5 else 1
        for _ in range(spots):
            spot = _spot(
                depth.shape, centre + rng.normal(0, 0.16 * radius, 2), (0.24 * radius + 0.75) * rng.uniform(0.9, 1.15)
            )
            haematoxylin = np.maximum(haematoxylin, 205 * spot)
            eosin = np.maximum(eosin, 235 * spot)
    return _grain(haematoxylin, eosin, depth)


def lymphocytes(count: int, rng: np.random.Generator, *, halo: bool = False) -> list[Stamp]:
    """Return lymphocytes: small, round and dark, with clumped chromatin; patches with a clear halo where asked."""
    stamps = []
    for _ in range(count):
        radius = rng.uniform(2.9, 3.5) * PX_PER_UM
        depth, _ = _outline(radius, rng.uniform(1.0, 1.12), rng.uniform(0, np.pi), 0.03, rng, margin=4 if halo else 1)
        haematoxylin = 212 + 22 * _blotches(depth.shape, rng)
        if halo:
            cover = np.clip(depth + 0.5, 0, 1)
            clear = np.clip(depth + 3.5, 0, 1)
            stamps.append(_patch(haematoxylin * cover + 5, 26 * clear, np.clip(depth + 3.6, 0, 1)))
        else:
            stamps.append(_grain(haematoxylin, np.full(depth.shape, 30.0), depth))
    return stamps


def clusters(members: list[Stamp], side_um: float, count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return square patches of a dense sheet of cells: grains of nine members on a jittered grid."""
    pitch = side_um / 3 * PX_PER_UM
    side = int(4 * pitch)
    stamps = []
    for _ in range(count):
        sheet = np.zeros((2, side, side), np.uint8)
        for row, column in np.ndindex(3, 3):
            stamp = members[int(rng.integers(len(members)))]
            y, x = (int((place + 0.9) * pitch + rng.uniform(-0.3, 0.3) * pitch) for place in (row, column))
            target = sheet[:, y - stamp.shape[1] // 2 :, x - stamp.shape[2] // 2 :][
                :, : stamp.shape[1], : stamp.shape[2]
            ]
            np.maximum(target, stamp[:, : target.shape[1], : target.shape[2]], out=target)
        stamps.append(sheet)
    return stamps


def centroblasts(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return the larger, paler cells of a germinal centre."""
    look = Look(8.6, marked=False, prominent=False, elongation=1.1)
    return [_nucleus(look, rng.uniform(0, np.pi), rng) for _ in range(count)]


def spindles(count: int, rng: np.random.Generator, turn: float) -> list[Stamp]:
    """Return fibroblast nuclei: thin, long, dark, lying along `turn` (radians)."""
    stamps = []
    for _ in range(count):
        depth, _ = _outline(
            rng.uniform(2.4, 3.3) * PX_PER_UM, rng.uniform(3.0, 5.0), turn + rng.normal(0, 0.1), 0.04, rng
        )
        stamps.append(
            _grain(rng.uniform(95, 140) + 10 * _blotches(depth.shape, rng), np.full(depth.shape, 30.0), depth)
        )
    return stamps


def mitoses(count: int, enlarged: bool, rng: np.random.Generator) -> list[Stamp]:
    """Return patches of mitotic cells: a cleared cell and in it a plate, two plates or a star of dense chromatin."""
    stamps = []
    for index in range(count):
        radius = (8.6 if enlarged else 7.2) * PX_PER_UM * rng.uniform(0.95, 1.1)
        depth, centre = _outline(radius, 1.06, rng.uniform(0, np.pi), 0.03, rng)
        y, x = np.indices(depth.shape) - centre[:, None, None]
        turn = rng.uniform(0, np.pi)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        ragged = _blotches(depth.shape, rng)
        if index % 3 == 0:  # metaphase, side view
            chromatin = np.maximum(np.abs(along) / (0.58 * radius), np.abs(across) / (0.19 * radius))
        elif index % 3 == 1:  # anaphase
            chromatin = np.maximum(
                np.abs(along) / (0.5 * radius), np.abs(np.abs(across) - 0.36 * radius) / (0.15 * radius)
            )
        else:  # prometaphase
            angle = np.arctan2(y, x)
            chromatin = np.hypot(x, y) / (0.42 * radius * (1 + 0.22 * np.cos(7 * angle + turn)))
        dense = np.clip((1.0 - chromatin + 0.14 * ragged) * 5 + 0.5, 0, 1)
        stamps.append(
            _patch(
                252 * dense + 9, 32 * (1 - dense) + 40 * np.exp(-(((depth - 1) / 1.2) ** 2)), np.clip(depth + 0.5, 0, 1)
            )
        )
    return stamps


def vessels(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return patches of small round vessels: a pink wall, flat endothelial nuclei, red cells in a clear lumen."""
    return [_vessel(rng.uniform(8.0, 10.5), rng) for _ in range(count)]


def _vessel(radius_um: float, rng: np.random.Generator) -> Stamp:
    radius = radius_um * PX_PER_UM
    depth, centre = _outline(radius, rng.uniform(1.0, 1.15), rng.uniform(0, np.pi), 0.03, rng)
    y, x = np.indices(depth.shape) - centre[:, None, None]
    wall = np.clip(7.5 - depth, 0, 1)
    haematoxylin, eosin = 6.0 * wall, 150.0 * wall + 6 * _blotches(depth.shape, rng) * wall
    for start in rng.uniform(0, 2 * np.pi) + np.arange(5) * 2 * np.pi / 5 + rng.normal(0, 0.15, 5):
        apart = np.abs((np.arctan2(y, x) - start + np.pi) % (2 * np.pi) - np.pi)
        nucleus = np.clip(3 * (1 - np.hypot(apart / 0.26, (depth - 6.5) / 2.4)), 0, 1)
        haematoxylin = np.maximum(haematoxylin, 150 * nucleus)
    for _ in range(int(rng.integers(3, 8))):
        place = centre + rng.uniform(-0.36, 0.36, 2) * radius
        eosin = np.maximum(eosin, 225 * _spot(depth.shape, place, 5.0))
    return _patch(haematoxylin, eosin, np.clip(depth + 0.5, 0, 1))


def debris(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return karyorrhectic dust: dense fragments of 1 to 3 um, some in small groups."""
    stamps = []
    for _ in range(count):
        side = int(rng.integers(9, 17))
        amount = np.zeros((side, side), np.float32)
        for _ in range(int(rng.integers(1, 4))):
            place = rng.uniform(0.3, 0.7, 2) * side
            amount = np.maximum(amount, rng.uniform(120, 215) * _spot((side, side), place, rng.uniform(1.0, 2.6)))
        stamps.append(_bytes(amount, 0.2 * amount))
    return stamps


def ghosts(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return ghost cells: faint pink outlines that dead tumour cells leave."""
    stamps = []
    for _ in range(count):
        depth, _ = _outline(rng.uniform(4.5, 7.5) * PX_PER_UM, rng.uniform(1, 1.3), rng.uniform(0, np.pi), 0.06, rng)
        rim = np.exp(-(((depth - 2.0) / 1.6) ** 2)) * (depth > -0.5)
        stamps.append(_bytes(18 * rim, rng.uniform(76, 96) * rim))
    return stamps


def _outline(
    radius: float, stretch: float, turn: float, irregular: float, rng: np.random.Generator, margin: int = 1
) -> tuple[Field, NDArray[np.float64]]:
    """Return the depth in pixels inside a wavy ellipse of this mean radius, in an array that just holds it."""
    wide, narrow = radius * np.sqrt(stretch), radius / np.sqrt(stretch)
    bulge = 1 + 2.2 * irregular
    half_x = int(np.hypot(wide * np.cos(turn), narrow * np.sin(turn)) * bulge + 1.5) + margin
    half_y = int(np.hypot(wide * np.sin(turn), narrow * np.cos(turn)) * bulge + 1.5) + margin
    y, x = np.mgrid[-half_y : half_y + 1, -half_x : half_x + 1].astype(np.float32)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    angle = np.arctan2(across / narrow, along / wide)
    edge = np.ones_like(x)
    for harmonic in (2, 3, 4, 5):
        edge += rng.normal(0, irregular / np.sqrt(harmonic)) * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
    depth = (edge - np.hypot(along / wide, across / narrow)) * np.sqrt(wide * narrow)
    return depth.astype(np.float32), np.array([half_y, half_x], np.float64)


def _blotches(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Return clumped chromatin: white noise smoothed over about 1.5 um, of unit variance."""
    noise = rng.standard_normal(shape).astype(np.float32)
    for axis in (0, 1, 0, 1):
        noise = noise + np.roll(noise, 1, axis)
    return noise * np.float32(1 / 6)


def _spot(shape: tuple[int, ...], centre: NDArray[np.float64], radius: float) -> Field:
    y, x = np.indices(shape) - centre[:, None, None]
    return np.asarray(np.clip(radius - np.hypot(x, y) + 0.5, 0, 1), np.float32)


def _bytes(*planes: Field) -> Stamp:
    return np.stack(planes).clip(0, 255).astype(np.uint8)


def _grain(haematoxylin: Field, eosin: Field, depth: Field) -> Stamp:
    cover = np.clip(depth / SOFT_PX + 0.5, 0, 1)
    return _bytes(haematoxylin * cover, eosin * cover)


def _patch(haematoxylin: Field, eosin: Field, opacity: Field) -> Stamp:
    return _bytes(haematoxylin, eosin, 255 * opacity)
