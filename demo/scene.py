"""One slide before it is painted: its tissue, the textures of its regions, and every stamp's place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from demo.architecture import NOWHERE, Structure, structure_of
from demo.artefacts import Artefacts, draw_artefacts
from demo.layout import CELL_UM, Labels, Layout, lay_out
from demo.noise import Field, smooth_noise
from demo.placement import Placed, Window
from demo.plan import Attributes, SlidePlan
from demo.population import LINED, populate_plain, populate_tumour
from demo.stain import Stain, draw_stain
from demo.textures import SIDE

CODE_PER_UM = 10.0  # a level set is kept as 128 + 10 per um in a byte: 12 um to each side of its edge

# Plain regions are laid with one texture in two positions, which takes turns in soft patches, so that no repeat shows.
PATCHINESS_UM = np.float32(2.0)
PATCH_CELLS = 90.0
GERMINAL_MARGIN_CELLS = 30.0

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class Fill:
    """The two textures of a region and where the slide's first pixel lies in each (x, y)."""

    base: str
    overlay: str
    offset: tuple[int, int]
    overlay_offset: tuple[int, int]


@dataclass(frozen=True)
class Scene:
    """Everything that painting needs.

    Attributes:
        size_px0: Width and height in level-0 pixels.
        layout: Tissue and regions.
        epithelium: Level set of what the overlay texture covers, coded in bytes, (H, W) of coarse cells.
        lumen: Level set of lumina and clear spaces, coded likewise.
        fills: Textures of each region, by its number.
        placed: All stamps.
        artefacts: Folds, pen and blur.
        stain: The slide's colours.
    """

    size_px0: tuple[int, int]
    layout: Layout
    epithelium: Plane
    lumen: Plane
    fills: dict[int, Fill]
    placed: Placed
    artefacts: Artefacts
    stain: Stain


def compose(plan: SlidePlan, size_px0: tuple[int, int], seed: int) -> Scene:
    """Return the scene of a slide; equal arguments give equal scenes, whatever was composed before.

    Args:
        plan: What the slide shows.
        size_px0: Width and height in level-0 pixels, multiples of 8.
        seed: The seed of the whole demo.
    """
    rng = np.random.default_rng([seed, 1, plan.index])
    layout = lay_out(size_px0, plan.sections, "missing_corner" in plan.artefacts, rng)
    epithelium, lumen = (np.zeros(layout.territory.shape, np.uint8) for _ in range(2))
    labels = layout.labels
    placed = Placed()
    fills: dict[int, Fill] = {}
    for number in range(1, int(layout.territory.max()) + 1):
        region = plan.regions[(number - 1) % len(plan.regions)]
        region_rng = np.random.default_rng([seed, 2, plan.index, number])
        fills[number] = _fill(region, region_rng)
        window = _window(labels, number)
        if window is None:
            continue
        structure = _structure(region, window, region_rng)
        rows = slice(window.top, window.top + window.mask.shape[0])
        columns = slice(window.left, window.left + window.mask.shape[1])
        for plane, values in ((epithelium, structure.epithelium), (lumen, structure.lumen)):
            np.copyto(plane[rows, columns], encode(values), where=layout.territory[rows, columns] == number)
        if "grade" in region:
            populate_tumour(placed, window, structure, region, fills[number].overlay_offset, region_rng)
        else:
            populate_plain(placed, window, structure, region["architecture"], _border_um(window), region_rng)
    artefacts = draw_artefacts(plan.artefacts, layout, rng)
    return Scene(size_px0, layout, epithelium, lumen, fills, placed, artefacts, draw_stain(rng))


def encode(level_um: Field) -> Plane:
    """Return a level set as bytes: 128 at its edge, `CODE_PER_UM` more per um inside."""
    return (level_um * np.float32(CODE_PER_UM) + 128).clip(0, 255).astype(np.uint8)


def _fill(region: Attributes, rng: np.random.Generator) -> Fill:
    architecture = region["architecture"]
    first, second, third, fourth = (int(offset) for offset in rng.integers(0, SIDE, 4))
    if "grade" in region:
        base, overlay = region["stroma"], "columnar" if architecture in LINED else region["nuclear_size"]
    elif architecture == "lymphoid":
        base, overlay = architecture, "germinal"
    else:
        base = region.get("stroma", architecture)
        overlay = "pale necrosis" if architecture == "necrosis" else base
    return Fill(base, overlay, (first, second), (third, fourth))


def _window(labels: Labels, number: int) -> Window | None:
    mask = labels == number
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Window(int(columns[0]), int(rows[0]), box)


def _structure(region: Attributes, window: Window, rng: np.random.Generator) -> Structure:
    shape = window.shape
    if "grade" in region:
        return structure_of(region["architecture"], _border_um(window), rng)
    nowhere = np.full(shape, NOWHERE, np.float32)
    if region["architecture"] == "lymphoid":
        return Structure(_germinal_centres(window, rng), nowhere)
    return Structure(PATCHINESS_UM * smooth_noise(window.shape, PATCH_CELLS, rng), nowhere)


def _border_um(window: Window) -> Field:
    """Return the distance inside the region's border, measured on every other cell."""
    distance = distance_transform_edt(np.pad(window.mask[::2, ::2], 1))[1:-1, 1:-1] * (2 * CELL_UM)
    size = (2 * distance.shape[1], 2 * distance.shape[0])
    wide = Image.fromarray(distance.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(wide)[: window.shape[0], : window.shape[1]]


def _germinal_centres(window: Window, rng: np.random.Generator) -> Field:
    """Return the level set of a few pale follicle centres of 200 to 360 um."""
    height, width = window.mask.shape
    level = np.full((height, width), NOWHERE, np.float32)
    for _ in range(9):
        centre_x, centre_y = rng.uniform(0.1, 0.9, 2) * (width, height)
        radius = rng.uniform(100, 180) / CELL_UM
        reach = radius + GERMINAL_MARGIN_CELLS
        rows = np.arange(max(0, int(centre_y - reach)), min(height, int(centre_y + reach)), dtype=np.float32)
        columns = np.arange(max(0, int(centre_x - reach)), min(width, int(centre_x + reach)), dtype=np.float32)
        depth = (radius - np.hypot(columns[None] - centre_x, rows[:, None] - centre_y)) * CELL_UM
        part = level[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
        np.maximum(part, depth.astype(np.float32), out=part)
    return level + 10 * smooth_noise((height, width), 14, rng)
