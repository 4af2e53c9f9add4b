"""Cells and small structures as stamps, drawn once and set down many times.

All sizes are in um; one pixel is 0.5 um. Mitoses, vessels and lymphocytes with a halo are patches, all others grains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.stamps import PX_PER_UM, Stamp, blotches, grain, outline, patch, spot, stamp_of

ORIENTATIONS = 12  # a half turn in steps of 15 degrees
NUCLEUS_UM = {"small": 6.2, "enlarged": 10.6}


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
    depth, centre = outline(radius, stretch, turn, 0.13 if look.marked else 0.025, rng)
    chromatin = blotches(depth.shape, rng)
    rim = np.exp(-(((depth - 1.0) / 1.2) ** 2))
    if look.prominent:
        haematoxylin = 66 * darkness + 56 * rim + 8 * chromatin
    else:
        haematoxylin = 104 * darkness + 20 * rim + 11 * chromatin
    eosin = np.full(depth.shape, 22.0)
    if look.prominent:
        spots = 2 if look.marked and rng.random() < 0.5 else 1
        for _ in range(spots):
            place = centre + rng.normal(0, 0.16 * radius, 2)
            nucleolus = spot(depth.shape, place, (0.24 * radius + 0.75) * rng.uniform(0.9, 1.15))
            haematoxylin = np.maximum(haematoxylin, 205 * nucleolus)
            eosin = np.maximum(eosin, 235 * nucleolus)
    return grain(haematoxylin, eosin, depth)


def lymphocytes(count: int, rng: np.random.Generator, *, halo: bool = False) -> list[Stamp]:
    """Return lymphocytes: small, round and dark, with clumped chromatin; patches with a clear halo where asked."""
    stamps = []
    for _ in range(count):
        radius = rng.uniform(2.9, 3.5) * PX_PER_UM
        depth, _ = outline(radius, rng.uniform(1.0, 1.12), rng.uniform(0, np.pi), 0.03, rng, margin=4 if halo else 1)
        haematoxylin = 212 + 22 * blotches(depth.shape, rng)
        if halo:
            cover = np.clip(depth + 0.5, 0, 1)
            clear = np.clip(depth + 3.5, 0, 1)
            stamps.append(patch(haematoxylin * cover + 5, 26 * clear, np.clip(depth + 3.6, 0, 1)))
        else:
            stamps.append(grain(haematoxylin, np.full(depth.shape, 30.0), depth))
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
        depth, _ = outline(
            rng.uniform(2.4, 3.3) * PX_PER_UM, rng.uniform(3.0, 5.0), turn + rng.normal(0, 0.1), 0.04, rng
        )
        stamps.append(grain(rng.uniform(95, 140) + 10 * blotches(depth.shape, rng), np.full(depth.shape, 30.0), depth))
    return stamps


def mitoses(count: int, enlarged: bool, rng: np.random.Generator) -> list[Stamp]:
    """Return patches of mitotic cells: a cleared cell and in it a plate, two plates or a star of dense chromatin."""
    stamps = []
    for index in range(count):
        radius = (8.6 if enlarged else 7.2) * PX_PER_UM * rng.uniform(0.95, 1.1)
        depth, centre = outline(radius, 1.06, rng.uniform(0, np.pi), 0.03, rng)
        y, x = np.indices(depth.shape) - centre[:, None, None]
        turn = rng.uniform(0, np.pi)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        ragged = blotches(depth.shape, rng)
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
            patch(
                252 * dense + 9, 32 * (1 - dense) + 40 * np.exp(-(((depth - 1) / 1.2) ** 2)), np.clip(depth + 0.5, 0, 1)
            )
        )
    return stamps


def vessels(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return patches of small round vessels: a pink wall, flat endothelial nuclei, red cells in a clear lumen."""
    return [_vessel(rng.uniform(8.0, 10.5), rng) for _ in range(count)]


def _vessel(radius_um: float, rng: np.random.Generator) -> Stamp:
    radius = radius_um * PX_PER_UM
    depth, centre = outline(radius, rng.uniform(1.0, 1.15), rng.uniform(0, np.pi), 0.03, rng)
    y, x = np.indices(depth.shape) - centre[:, None, None]
    wall = np.clip(7.5 - depth, 0, 1)
    haematoxylin, eosin = 6.0 * wall, 150.0 * wall + 6 * blotches(depth.shape, rng) * wall
    for start in rng.uniform(0, 2 * np.pi) + np.arange(5) * 2 * np.pi / 5 + rng.normal(0, 0.15, 5):
        apart = np.abs((np.arctan2(y, x) - start + np.pi) % (2 * np.pi) - np.pi)
        nucleus = np.clip(3 * (1 - np.hypot(apart / 0.26, (depth - 6.5) / 2.4)), 0, 1)
        haematoxylin = np.maximum(haematoxylin, 150 * nucleus)
    for _ in range(int(rng.integers(3, 8))):
        place = centre + rng.uniform(-0.36, 0.36, 2) * radius
        eosin = np.maximum(eosin, 225 * spot(depth.shape, place, 5.0))
    return patch(haematoxylin, eosin, np.clip(depth + 0.5, 0, 1))


def debris(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return karyorrhectic dust: dense fragments of 1 to 3 um, some in small groups."""
    stamps = []
    for _ in range(count):
        side = int(rng.integers(9, 17))
        amount = np.zeros((side, side), np.float32)
        for _ in range(int(rng.integers(1, 4))):
            place = rng.uniform(0.3, 0.7, 2) * side
            amount = np.maximum(amount, rng.uniform(120, 215) * spot((side, side), place, rng.uniform(1.0, 2.6)))
        stamps.append(stamp_of(amount, 0.2 * amount))
    return stamps


def ghosts(count: int, rng: np.random.Generator) -> list[Stamp]:
    """Return ghost cells: faint pink outlines that dead tumour cells leave."""
    stamps = []
    for _ in range(count):
        depth, _ = outline(rng.uniform(4.5, 7.5) * PX_PER_UM, rng.uniform(1, 1.3), rng.uniform(0, np.pi), 0.06, rng)
        rim = np.exp(-(((depth - 2.0) / 1.6) ** 2)) * (depth > -0.5)
        stamps.append(stamp_of(18 * rim, rng.uniform(76, 96) * rim))
    return stamps
