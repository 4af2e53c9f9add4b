"""What lives in a region: tumour nuclei, mitoses, vessels, lymphocytes, debris; all set down from its attributes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from demo import cells
from demo.architecture import Structure
from demo.cells import NUCLEUS_UM, ORIENTATIONS, Look
from demo.infiltrate import Tissue, infiltrate, vessels_in
from demo.layout import CELL_UM
from demo.noise import Field
from demo.placement import Placed, Window, along_level, apart_from, one_per_block, sample, uniform
from demo.plan import Attributes
from demo.stamps import PX_PER_UM, Stamp
from demo.tessellation import Points, jittered_hexagons
from demo.textures import SIDE, stock

LINED = ("glandular", "papillary")  # nuclei stand in rows on the basement membrane, elsewhere in sheets
VARIANTS = 4
MITOSIS_BLOCK_UM = 46.0
STROMAL_VESSELS_PER_MM2 = 5.0


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
    tissue = Tissue(window, structure, vessels_in(window, structure, region["inflammation_site"], rng), rng)
    placed.scatter(cells.vessels(4, rng), window.to_px0(tissue.vessels), rng)
    lymphocytes = infiltrate(tissue, region["inflammation_site"], region["inflammation"])
    halo = region["inflammation_site"] == "intraepithelial"
    placed.scatter(cells.lymphocytes(16, rng, halo=halo), window.to_px0(lymphocytes), rng)
    kept = apart_from(nuclei, lymphocytes, 5.0) if halo else np.ones(len(nuclei), bool)
    if region["mitoses"] == "frequent":
        dividing = nuclei[one_per_block(nuclei, MITOSIS_BLOCK_UM, rng)]
        placed.scatter(cells.mitoses(12, enlarged, rng), window.to_px0(dividing), rng)
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
    step = 1.0 * diameter + 2.6
    rows = []
    for level in np.arange(first, 30.0 - 0.4 * diameter, step):
        points = along_level(structure.epithelium, float(level), 0.85 * diameter + 3.2, 0.12, rng)
        rows.append(points + rng.normal(0, (0.16 if marked else 0.09) * diameter, points.shape))
    return np.concatenate(rows)


def _sheet(window: Window, size: str, offset: tuple[int, int]) -> Points:
    """Return the centres of the cells that the epithelial texture shows in this window, in um from its corner."""
    centres = stock().centres[size]
    height, width = (length * PX_PER_UM for length in window.extent_um)
    left, top = window.left * CELL_UM * PX_PER_UM, window.top * CELL_UM * PX_PER_UM
    start = np.array([(left + offset[0]) % SIDE, (top + offset[1]) % SIDE])
    columns, rows = int((start[0] + width) // SIDE) + 1, int((start[1] + height) // SIDE) + 1
    shifts = np.array([(column * SIDE, row * SIDE) for row in range(rows) for column in range(columns)])
    points = (centres[None] + shifts[:, None] - start).reshape(-1, 2)
    return np.asarray(points / PX_PER_UM)


def populate_plain(
    placed: Placed, window: Window, structure: Structure, kind: str, border: Field, rng: np.random.Generator
) -> None:
    """Set down what lives in a region without tumour: `stroma`, `necrosis` or `lymphoid`.

    Args:
        placed: Receives the stamps.
        window: The region's place on the slide.
        structure: Its level sets; in lymphoid tissue `epithelium` is the depth in a germinal centre.
        kind: The region's architecture.
        border: Distance in um inside the region's border.
        rng: The source of randomness.
    """
    if kind == "stroma":
        contents = [(cells.vessels(4, rng), STROMAL_VESSELS_PER_MM2)]
    elif kind == "necrosis":
        contents = [(cells.ghosts(24, rng), 1300.0), (cells.debris(30, rng), 2600.0)]
    else:
        _populate_node(placed, window, structure.epithelium, border, rng)
        return
    for stamps, per_mm2 in contents:
        _scatter_inside(placed, window, stamps, uniform(window.extent_um, per_mm2, rng), rng)


def _populate_node(placed: Placed, window: Window, germinal: Field, border: Field, rng: np.random.Generator) -> None:
    """Set down a sheet of lymphocytes, and in germinal centres larger cells.

    Most are set down nine at a time; near an edge one by one, so that no edge is straight.
    """
    for members, pitch, depth in (
        (cells.lymphocytes(30, rng), 9.2, -germinal),
        (cells.centroblasts(24, rng), 11.0, germinal),
    ):
        room = np.minimum(depth, border)
        clusters = jittered_hexagons(window.extent_um, 3 * pitch, 0.1, rng)
        deep = sample(room, clusters) > 1.5 * pitch
        _scatter_inside(placed, window, cells.clusters(members, 3 * pitch, 32, rng), clusters[deep], rng)
        single = jittered_hexagons(window.extent_um, pitch, 0.3, rng)
        single = single[(sample(depth, single) > 0) & (sample(room, single) < 5.0 * pitch)]
        _scatter_inside(placed, window, members, single[apart_from(single, clusters[deep], 1.9 * pitch)], rng)


def _scatter_inside(
    placed: Placed, window: Window, stamps: list[Stamp], points: Points, rng: np.random.Generator
) -> None:
    placed.scatter(stamps, window.to_px0(points[window.inside(points)]), rng)
