"""Small scenes for the demo's tests: one region each, painted whole."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from demo.architecture import Structure
from demo.layout import CELL_PX
from demo.paint import Painter
from demo.plan import Attributes, SlidePlan
from demo.scene import CODE_PER_UM, Scene, compose

SIZE = (1536, 1536)
TUMOUR: Attributes = {
    "architecture": "solid",
    "stroma": "desmoplastic",
    "inflammation": "sparse",
    "inflammation_site": "stromal",
    "nuclear_size": "small",
    "pleomorphism": "mild",
    "mitoses": "rare",
    "nucleoli": "inconspicuous",
    "grade": "low",
}

Pixels = NDArray[np.uint8]


class Picture:
    """A painted region: its pixels (H, W, 3), and its level sets in um at every pixel."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        painter = Painter(scene)
        _, height = scene.size_px0
        bands = [painter.rows(top, 512)[..., :3].copy() for top in range(0, height, 512)]
        self.pixels: Pixels = np.concatenate(bands)
        self.structure = Structure(_um(scene.epithelium), _um(scene.lumen))
        self.inside = np.kron(scene.layout.depth_um > 20, np.ones((CELL_PX, CELL_PX), bool))
        self.epithelium = np.kron(self.structure.epithelium, np.ones((CELL_PX, CELL_PX), np.float32))
        self.lumen = np.kron(self.structure.lumen, np.ones((CELL_PX, CELL_PX), np.float32))

    @property
    def density(self) -> NDArray[np.float64]:
        """Optical density of the red channel, which haematoxylin absorbs and eosin hardly does."""
        return np.asarray(-np.log(np.maximum(self.pixels[..., 0], 1) / 244.0))


def _um(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (plane.astype(np.float32) - 128) / np.float32(CODE_PER_UM)


@pytest.fixture(scope="session")
def picture() -> Callable[..., Picture]:
    """Return a maker of pictures: a tumour region with some attributes changed, or a region without tumour."""
    made: dict[tuple[tuple[str, str], ...], Picture] = {}

    def make(**changes: str) -> Picture:
        region = TUMOUR | changes
        if region["architecture"] in ("necrosis", "lymphoid"):
            region = {"architecture": region["architecture"]}
        elif region["architecture"] == "stroma":
            region = {name: region[name] for name in ("architecture", "stroma")}
        key = tuple(sorted(region.items()))
        if key not in made:
            plan = SlidePlan(0, "one", "p01", "colon", "whole", (region,), ())
            made[key] = Picture(compose(plan, SIZE, 5))
        return made[key]

    return make
