"""Folds, ink and blur are seen on the pixels, and take a small share of the tissue."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from demo.artefacts import draw_artefacts
from demo.layout import CELL_PX, Layout, lay_out
from demo.paint import Painter
from demo.plan import SlidePlan
from demo.scene import compose

SIZE = (12288, 9216)
STROMA = {"architecture": "stroma", "stroma": "desmoplastic"}


@pytest.fixture(scope="module")
def layout() -> Layout:
    return lay_out(SIZE, "whole", False, np.random.default_rng(1))


def paint(*artefacts: str) -> tuple[NDArray[np.uint8], Painter]:
    scene = compose(SlidePlan(3, "one", "p01", "colon", "whole", (STROMA,), artefacts), (3072, 3072), 11)
    painter = Painter(scene)
    pixels = np.concatenate([painter.rows(top, 512)[..., :3].copy() for top in range(0, 3072, 512)])
    return pixels, painter


def where(plane: NDArray[np.uint8] | None) -> NDArray[np.bool_]:
    assert plane is not None
    return np.kron(plane > 200, np.ones((CELL_PX, CELL_PX), bool))


@pytest.mark.parametrize("seed", range(6))
def test_artefacts_take_a_small_share_of_the_tissue(layout: Layout, seed: int) -> None:
    marks = draw_artefacts(("fold", "blur", "pen"), layout, np.random.default_rng(seed))
    tissue = layout.depth_um > 0
    for name, most in (("fold", 0.03), ("blur", 0.06), ("pen", 0.08)):
        plane = getattr(marks, name)
        assert plane.any()
        assert (plane[tissue] > 100).mean() < most


@pytest.mark.parametrize("seed", range(4))
def test_a_missing_corner_is_a_corner(seed: int) -> None:
    whole, torn = (lay_out(SIZE, "whole", missing, np.random.default_rng(seed)) for missing in (False, True))
    lost = (whole.depth_um > 0) & (torn.depth_um <= 0)
    assert 0.005 < lost.sum() / (whole.depth_um > 0).sum() < 0.12


def test_out_of_focus_tissue_has_lost_its_detail() -> None:
    pixels, painter = paint("blur")
    detail = np.abs(ndimage.laplace(pixels[..., 1].astype(np.float64)))
    blurred = where(painter._scene.artefacts.blur)
    tissue = np.kron(painter._scene.layout.depth_um > 40, np.ones((CELL_PX, CELL_PX), bool))
    assert detail[blurred & tissue].mean() < 0.25 * detail[~blurred & tissue].mean()


def test_a_fold_is_darker_than_the_tissue_beside_it() -> None:
    pixels, painter = paint("fold")
    fold = where(painter._scene.artefacts.fold)
    beside = ndimage.binary_dilation(fold, iterations=60) & ~ndimage.binary_dilation(fold, iterations=20)
    assert pixels[fold].mean() < pixels[beside].mean() - 20


def test_ink_colours_glass_and_tissue_alike() -> None:
    pixels, painter = paint("pen")
    pen = painter._scene.artefacts.pen
    assert pen is not None
    cells = np.ones((CELL_PX, CELL_PX), bool)
    glass = np.kron(painter._scene.layout.depth_um < -20, cells)
    clean = np.kron(ndimage.maximum_filter(pen, 5) == 0, cells)
    assert pixels[where(pen) & glass].mean() < 170
    assert pixels[clean & glass].mean() > 235


def test_rows_are_painted_alike_in_any_bands() -> None:
    scene = compose(SlidePlan(3, "one", "p01", "colon", "whole", (STROMA,), ("blur", "fold", "pen")), (1536, 1536), 4)
    painter = Painter(scene)
    whole = painter.rows(256, 512).copy()
    assert np.array_equal(np.concatenate([painter.rows(256, 256).copy(), painter.rows(512, 256).copy()]), whole)
