"""What lives in a region: tumour nuclei, mitoses, vessels, lymphocytes, debris; all set down from its attributes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from demo import cells
from demo.architecture import Structure
from demo.cells import NUCLEUS_UM, ORIENTATIONS, Look, Stamp
from demo.layout import CELL_UM
from demo.placement import Placed, Window, along_level, apart_from, one_per_block, sample, uniform
from demo.plan import Attributes
from demo.tessellation import Points, jittered_hexagons
from demo.textures import SIDE, stock

LINED = ("glandular", "papillary")  # nuclei stand in rows on the basement membrane, elsewhere in sheets
VARIANTS = 4
MITOSIS_BLOCK_UM = 46.0
VESSEL_BLOCK_UM = {"perivascular": 130.0, "other": 420.0}
VESSEL_ROOM_UM = 13.0
# Lymphocytes per mm2 of the compartment they live in, by inflammation; per um of edge for the interface.
STROMAL_PER_MM2 = {"sparse": 500.0, "dense": 4800.0}
INTRAEPITHELIAL_PER_MM2 = {"sparse": 240.0, "dense": 1500.0}
INTERFACE_SHARE = {"sparse": 0.22, "dense": 0.95}
CUFF = {"sparse": (0.45, (4.5,)), "dense": (0.95, (4.5, 11.0, 17.5))}
LYMPHOCYTE_UM = 7.0


def populate_tumour(
    placed: Placed,
    window: Window,
    structure: Structure,
    region: Attributes,
    offset: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Set down a tumour region's nuclei, mitoses, vessels and lymphocytes.

    Args:
        placed: Receives the stamps.
        window: The region's place on the slide.
        structure: Its epithelium and lumina.
        region: Its attributes.
        offset: Where in its texture the slide's first pixel lies (x, y), which sheets of cells take their centres from.
        rng: The source of randomness.
    """
    enlarged = region["nuclear_size"] == "enlarged"
    nuclei, turns = _nuclei(window, structure, region, offset, rng)
    vessels = _vessels(window, structure, region["inflammation_site"], rng)
    placed.scatter(cells.vessels(6, rng), window.to_px0(vessels), rng)
    lymphocytes = SITES[region["inflammation_site"]](window, structure, region["inflammation"], vessels, rng)
    halo = region["inflammation_site"] == "intraepithelial"
    placed.scatter(cells.lymphocytes(16, rng, halo=halo), window.to_px0(lymphocytes), rng)
    kept = apart_from(nuclei, lymphocytes, 5.0) if halo else np.ones(len(nuclei), bool)
    if region["mitoses"] == "frequent":
        dividing = nuclei[one_per_block(nuclei, MITOSIS_BLOCK_UM, rng)]
        placed.scatter(cells.mitoses(15, enlarged, rng), window.to_px0(dividing), rng)
        kept &= apart_from(nuclei, dividing, 11.0 if enlarged else 9.0)
    look = Look(
        NUCLEUS_UM[region["nuclear_size"]],
        marked=region["pleomorphism"] == "marked",
        prominent=region["nucleoli"] == "prominent",
        elongation=1.4 if region["architecture"] in LINED else 1.15,
    )
    bank = [stamp for row in cells.nucleus_bank(look, VARIANTS, rng) for stamp in row]
    facing = np.rint(turns[kept] / np.pi * ORIENTATIONS).astype(np.int64) % ORIENTATIONS
    placed.add(bank, facing * VARIANTS + rng.integers(0, VARIANTS, len(facing)), window.to_px0(nuclei[kept]))


def _nuclei(
    window: Window, structure: Structure, region: Attributes, offset: tuple[int, int], rng: np.random.Generator
) -> tuple[Points, NDArray[np.float64]]:
    """Return the centres of tumour nuclei in um and the directions of their long axes in radians."""
    diameter = NUCLEUS_UM[region["nuclear_size"]]
    lined = region["architecture"] in LINED
    if lined:
        points = _rows(structure, diameter, region["pleomorphism"] == "marked", rng)
    else:
        points = _sheet(window, region["nuclear_size"], offset) + rng.normal(0, 0.08 * diameter, (1, 2))
    kept = window.inside(points) & (sample(structure.lumen, points) < -0.45 * diameter)
    kept &= sample(structure.epithelium, points) > 0.5 * diameter
    points = points[kept]
    if not lined:
        return points, rng.uniform(0, np.pi, len(points))
    slope_y, slope_x = (np.asarray(slope, np.float32) for slope in np.gradient(structure.epithelium))
    turns = np.arctan2(sample(slope_y, points), sample(slope_x, points))
    return points, np.asarray(turns, np.float64)


def _rows(structure: Structure, diameter: float, marked: bool, rng: np.random.Generator) -> Points:
    """Return nuclei in two or three staggered rows on the basement membrane."""
    first = 0.72 * diameter + 1.8
    step = 1.32 * diameter + 0.6
    rows = []
    for level in np.arange(first, 30.0 - 0.4 * diameter, step):
        points = along_level(structure.epithelium, float(level), 1.12 * diameter + 1.2, 0.12, rng)
        rows.append(points + rng.normal(0, (0.16 if marked else 0.09) * diameter, points.shape))
    return np.concatenate(rows)


def _sheet(window: Window, size: str, offset: tuple[int, int]) -> Points:
    """Return the centres of the cells that the epithelial texture shows in this window, in um from its corner."""
    centres = stock().centres[size]
    height, width = (length * cells.PX_PER_UM for length in window.extent_um)
    left, top = window.left * CELL_UM * cells.PX_PER_UM, window.top * CELL_UM * cells.PX_PER_UM
    start = np.array([(left + offset[0]) % SIDE, (top + offset[1]) % SIDE])
    columns, rows = int((start[0] + width) // SIDE) + 1, int((start[1] + height) // SIDE) + 1
    shifts = np.array([(column * SIDE, row * SIDE) for row in range(rows) for column in range(columns)])
    points = (centres[None] + shifts[:, None] - start).reshape(-1, 2)
    return np.asarray(points / cells.PX_PER_UM)


def _vessels(window: Window, structure: Structure, site: str, rng: np.random.Generator) -> Points:
    """Return the widest spots of the stroma, at most one per block, that have room for a vessel."""
    spacing = VESSEL_BLOCK_UM.get(site, VESSEL_BLOCK_UM["other"])
    room = -structure.epithelium - 0.6 * rng.random(structure.epithelium.shape, np.float32)
    room[~window.mask] = -1.0
    side = round(spacing / CELL_UM)
    found = []
    for top in range(0, room.shape[0], side):
        for left in range(0, room.shape[1], side):
            block = room[top : top + side, left : left + side]
            row, column = np.unravel_index(int(block.argmax()), block.shape)
            if block[row, column] > VESSEL_ROOM_UM:
                found.append(((left + column + 0.5) * CELL_UM, (top + row + 0.5) * CELL_UM))
    points = np.array(found).reshape(-1, 2)
    return points[_apart_from_earlier(points, 45.0)]


def _apart_from_earlier(points: Points, distance_um: float) -> NDArray[np.bool_]:
    """Return which points are kept when each is dropped that lies near one kept before it."""
    kept: list[int] = []
    for index, point in enumerate(points):
        if all(np.hypot(*(points[other] - point)) > distance_um for other in kept):
            kept.append(index)
    chosen = np.zeros(len(points), bool)
    chosen[kept] = True
    return chosen


def _stromal(window: Window, structure: Structure, level: str, vessels: Points, rng: np.random.Generator) -> Points:
    points = uniform(window.extent_um, STROMAL_PER_MM2[level], rng)
    deep = sample(structure.epithelium, points) < -11.0
    return points[deep & window.inside(points) & apart_from(points, vessels, 15.0)]


def _intraepithelial(
    window: Window, structure: Structure, level: str, vessels: Points, rng: np.random.Generator
) -> Points:
    points = uniform(window.extent_um, INTRAEPITHELIAL_PER_MM2[level], rng)
    kept = (sample(structure.epithelium, points) > 6.0) & (sample(structure.lumen, points) < -6.0)
    return points[kept & window.inside(points)]


def _interface(window: Window, structure: Structure, level: str, vessels: Points, rng: np.random.Generator) -> Points:
    rows = [along_level(structure.epithelium, -4.0, LYMPHOCYTE_UM, 0.15, rng)]
    if level == "dense":
        rows.append(along_level(structure.epithelium, -11.0, LYMPHOCYTE_UM, 0.2, rng))
    points = np.concatenate(rows)
    points += rng.normal(0, 0.9, points.shape)
    return points[window.inside(points) & (rng.random(len(points)) < INTERFACE_SHARE[level])]


def _perivascular(
    window: Window, structure: Structure, level: str, vessels: Points, rng: np.random.Generator
) -> Points:
    share, distances = CUFF[level]
    rings = []
    for distance in distances:
        radius = 9.0 + distance
        count = int(2 * np.pi * radius / LYMPHOCYTE_UM)
        angles = rng.uniform(0, 2 * np.pi, (len(vessels), 1)) + np.arange(count) * 2 * np.pi / count
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1) * radius + vessels[:, None]
        rings.append(ring.reshape(-1, 2))
    points = np.concatenate(rings) + rng.normal(0, 1.0, (1, 2))
    points += rng.normal(0, 1.0, points.shape)
    kept = (rng.random(len(points)) < share) & (sample(structure.epithelium, points) < -2.0)
    return points[kept & window.inside(points)]


SITES: dict[str, Callable[[Window, Structure, str, Points, np.random.Generator], Points]] = {
    "stromal": _stromal,
    "intraepithelial": _intraepithelial,
    "interface": _interface,
    "perivascular": _perivascular,
}


def populate_plain(placed: Placed, window: Window, structure: Structure, kind: str, rng: np.random.Generator) -> None:
    """Set down what lives in a region without tumour: `stroma`, `necrosis` or `lymphoid`."""
    if kind == "stroma":
        vessels = _vessels(window, structure, "other", rng)
        placed.scatter(cells.vessels(6, rng), window.to_px0(vessels), rng)
        return
    if kind == "necrosis":
        for stamps, per_mm2 in ((cells.ghosts(24, rng), 1300.0), (cells.debris(40, rng), 2600.0)):
            _scatter_inside(placed, window, stamps, uniform(window.extent_um, per_mm2, rng), rng)
        return
    points = jittered_hexagons(window.extent_um, 9.4, 0.3, rng)
    germinal = sample(structure.epithelium, points) > 0
    _scatter_inside(placed, window, cells.lymphocytes(30, rng), points[~germinal], rng)
    points = jittered_hexagons(window.extent_um, 11.5, 0.3, rng)
    germinal = sample(structure.epithelium, points) > 0
    _scatter_inside(placed, window, cells.centroblasts(24, rng), points[germinal], rng)


def _scatter_inside(
    placed: Placed, window: Window, stamps: list[Stamp], points: Points, rng: np.random.Generator
) -> None:
    placed.scatter(stamps, window.to_px0(points[window.inside(points)]), rng)
