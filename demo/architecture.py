"""How tumour is built: for each architecture, where its epithelium and its lumina lie in a region.

Every pattern is a pair of level sets on the coarse grid. `epithelium` is the distance in um inside the basement
membrane (negative in stroma); `lumen` the distance in um inside a lumen or clear space (negative in tissue). Cells,
stroma and inflammation are placed by these two fields, so all architectures are populated in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, maximum

from demo.layout import CELL_UM
from demo.noise import Field, smooth_noise
from demo.tessellation import jittered_hexagons, two_nearest

NOWHERE = np.float32(-1e3)
Labels = NDArray[np.int32]
EDGE_UM = 8.0  # stroma between a region's border and its epithelium


@dataclass(frozen=True)
class Structure:
    """Two level sets over a region's bounding box, in um, shape (H, W) of coarse cells."""

    epithelium: Field
    lumen: Field


@dataclass(frozen=True)
class _Ground:
    """What all patterns start from: warped coordinates and the distance to the region's border, in um."""

    x: Field
    y: Field
    border: Field
    rng: np.random.Generator

    @property
    def shape(self) -> tuple[int, int]:
        return self.border.shape[0], self.border.shape[1]

    def noise(self, wavelength_um: float) -> Field:
        return smooth_noise(self.shape, wavelength_um / CELL_UM, self.rng)

    def cells(self, spacing_um: float, jitter: float, *, bent: bool = True) -> tuple[Field, Field, Labels]:
        """Return distances in um to the nearest and second seeds of a new lattice, and which seed is nearest."""
        height, width = self.shape
        seeds = jittered_hexagons((height, width), spacing_um / CELL_UM, jitter, self.rng)
        x, y = (self.x, self.y) if bent else _grid(self.shape)
        first, second, owner = two_nearest(x, y, seeds, 1.35 * spacing_um / CELL_UM)
        return first * np.float32(CELL_UM), second * np.float32(CELL_UM), owner

    def per_cell(self, owner: Labels) -> Field:
        """Return a draw from [0, 1) for each cell of a lattice, (H, W)."""
        return self.rng.random(int(owner.max()) + 2).astype(np.float32)[owner]


def structure_of(architecture: str, border_um: Field, rng: np.random.Generator) -> Structure:
    """Return the level sets of a tumour region.

    Args:
        architecture: `glandular`, `solid`, `papillary` or `cribriform`.
        border_um: Distance in um inside the region's border, (H, W), negative outside.
        rng: The source of randomness.
    """
    height, width = border_um.shape
    x, y = _grid((height, width))
    bend = [smooth_noise((height, width), 45, rng) * np.float32(8) for _ in range(2)]
    return PATTERNS[architecture](_Ground(x + bend[0], y + bend[1], border_um - np.float32(EDGE_UM), rng))


def _tracts(ground: _Ground, spacing_um: float, half_width_um: float) -> Field:
    """Return the distance in um inside lobules that broad bands of stroma part, and inside the region."""
    first, second, _ = ground.cells(spacing_um, 0.28)
    width = half_width_um * (1 + 0.3 * ground.noise(160)) + 4 * ground.noise(70)
    return np.minimum((second - first) / 2 - width, ground.border)


def _glandular(ground: _Ground) -> Structure:
    """Glands: each a cell of a lattice, rounded, with one lumen; slivers that a tract cuts off are dropped."""
    first, second, owner = ground.cells(156.0, 0.2)
    draw = ground.per_cell(owner)
    gland = np.minimum((second - first) / 2 - 7, 74 + 20 * draw - first) + 4 * ground.noise(45)
    epithelium = np.minimum(gland, _tracts(ground, 620.0, 17.0))
    deepest = maximum(epithelium, owner, np.arange(int(owner.max()) + 1)).astype(np.float32)[owner]
    epithelium[deepest < 19] = -12
    thickness = 29 + 6 * draw + 2.5 * ground.noise(30)
    return Structure(epithelium, epithelium - thickness)


def _solid(ground: _Ground) -> Structure:
    """Nests that fill their lattice cells, parted by thin septa."""
    first, second, owner = ground.cells(240.0, 0.26)
    nest = np.minimum((second - first) / 2 - 5, 120 + 60 * ground.per_cell(owner) - first) + 3 * ground.noise(50)
    epithelium = np.minimum(nest, _tracts(ground, 560.0, 25.0))
    return Structure(epithelium, np.full_like(epithelium, NOWHERE))


def _cribriform(ground: _Ground) -> Structure:
    """Large nests, punched out by many small round lumina."""
    epithelium = _tracts(ground, 450.0, 19.0)
    first, _, owner = ground.cells(64.0, 0.24, bent=False)
    lumen = np.minimum(11 + 12 * ground.per_cell(owner) - first + 2 * ground.noise(25), epithelium - 17)
    return Structure(epithelium, lumen)


def _papillary(ground: _Ground) -> Structure:
    """Fronds: fingers parted by clear space, each with a core of stroma; stromal walls carry them."""
    inside = _fingers(ground)
    frond = _signed_distance_um(inside)
    wall = _tracts(ground, 1000.0, 18.0)
    core = 29 - frond + 2.5 * ground.noise(30)
    epithelium = np.minimum(core, wall)
    return Structure(epithelium, np.minimum(-frond, wall - 29))


def _fingers(ground: _Ground) -> NDArray[np.bool_]:
    """Return long lattice cells, shrunk by gaps: a lattice in coordinates turned, bent and stretched."""
    stretch, turn = 2.3, ground.rng.uniform(0, np.pi)
    bend = [11 * ground.noise(420), 11 * ground.noise(420)]
    x, y = ground.x + bend[0], ground.y + bend[1]
    along = (x * np.cos(turn) + y * np.sin(turn)) / stretch
    across = y * np.cos(turn) - x * np.sin(turn)
    along, across = along - along.min(), across - across.min()
    shape = (int(across.max()) + 2, int(along.max()) + 2)
    grid_x, grid_y = _grid(shape)
    seeds = jittered_hexagons(shape, 132.0 / CELL_UM, 0.24, ground.rng)
    first, second, _ = two_nearest(grid_x, grid_y, seeds, 1.35 * 132.0 / CELL_UM)
    gap = map_coordinates(second - first, [across, along], order=1, output=np.float32) * np.float32(CELL_UM / 2)
    return np.asarray(gap > 11 + 5 * ground.noise(150) + 3 * ground.noise(40))


def _grid(shape: tuple[int, int]) -> tuple[Field, Field]:
    """Return the x and y of every cell."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return x, y


def _signed_distance_um(inside: NDArray[np.bool_]) -> Field:
    distance = distance_transform_edt(inside) - distance_transform_edt(~inside)
    return np.asarray(gaussian_filter(distance.astype(np.float32), 1.0) * CELL_UM, np.float32)


PATTERNS: dict[str, Callable[[_Ground], Structure]] = {
    "glandular": _glandular,
    "solid": _solid,
    "papillary": _papillary,
    "cribriform": _cribriform,
}
