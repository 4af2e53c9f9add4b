"""Every attribute can be measured on the rendered pixels: two pictures differ in that attribute alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from demo.layout import CELL_PX
from demo.placement import PATCH

Picture = Any
Maker = Callable[..., Picture]
NUCLEAR = 0.62  # optical density above which a pixel belongs to a nucleus
DARK = 1.32  # above which it belongs to a lymphocyte or to dividing chromatin


def nuclear_areas(picture: Picture) -> NDArray[np.float64]:
    """Areas in um2 of what is nuclear, round enough to be one nucleus, and inside the tumour."""
    mask = (picture.density > NUCLEAR) & picture.inside & (picture.epithelium > 3)
    labels, count = ndimage.label(ndimage.binary_opening(mask))
    areas = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
    return np.asarray(areas[areas > 20] * 0.25)


def lymphocytes(picture: Picture) -> NDArray[np.bool_]:
    """Pixels of small dark round nuclei."""
    dark = ndimage.binary_opening(picture.density > DARK, iterations=2)
    return np.asarray(ndimage.binary_dilation(dark, iterations=2) & picture.inside)


def test_enlarged_nuclei_have_more_than_twice_the_area(picture: Maker) -> None:
    small = np.median(nuclear_areas(picture(nuclear_size="small")))
    assert np.median(nuclear_areas(picture(nuclear_size="enlarged"))) > 2.0 * small


def test_marked_pleomorphism_spreads_the_areas_of_nuclei(picture: Maker) -> None:
    spreads = []
    for value in ("mild", "marked"):
        areas = nuclear_areas(picture(pleomorphism=value, nuclear_size="enlarged"))
        spreads.append(np.percentile(areas, 75) / np.percentile(areas, 25))
    assert spreads[1] > 1.4 * spreads[0]


@pytest.mark.parametrize("architecture", ["glandular", "solid", "papillary", "cribriform"])
def test_frequent_mitoses_stand_in_nearly_every_high_tile_and_rare_ones_in_none(
    picture: Maker, architecture: str
) -> None:
    shares = {}
    for value in ("rare", "frequent"):
        drawn = picture(mitoses=value, architecture=architecture, inflammation_site="perivascular")
        figures = (drawn.density > 1.55) & (drawn.epithelium > 2)
        tiles = [
            (figures[top : top + 240, left : left + 240].sum(), drawn.epithelium[top : top + 240, left : left + 240])
            for top in range(256, 1100, 120)
            for left in range(256, 1100, 120)
        ]
        shares[value] = np.mean([dark > 60 for dark, tumour in tiles if (tumour > 0).mean() > 0.35])
    assert shares["rare"] < 0.05
    assert shares["frequent"] > 0.95


@pytest.mark.parametrize("size", ["small", "enlarged"])
def test_prominent_nucleoli_are_dark_spots_in_pale_nuclei(picture: Maker, size: str) -> None:
    contrast = {}
    for value in ("inconspicuous", "prominent"):
        drawn = picture(nucleoli=value, nuclear_size=size)
        nuclei = (drawn.density > 0.45) & drawn.inside & (drawn.epithelium > 3)
        density = drawn.density[nuclei]
        contrast[value] = np.percentile(density, 97) / np.median(density)
    assert contrast["prominent"] > 1.3 * contrast["inconspicuous"]


@pytest.mark.parametrize("site", ["stromal", "intraepithelial", "interface", "perivascular"])
@pytest.mark.parametrize("architecture", ["glandular", "solid", "papillary", "cribriform"])
def test_dense_inflammation_shows_at_least_twice_the_lymphocytes_and_sparse_shows_some(
    picture: Maker, site: str, architecture: str
) -> None:
    shares = [
        lymphocytes(picture(inflammation=value, inflammation_site=site, architecture=architecture)).mean()
        for value in ("sparse", "dense")
    ]
    assert shares[0] > 0.0005
    assert shares[1] > 2.0 * shares[0]


@pytest.mark.parametrize("architecture", ["glandular", "solid", "papillary", "cribriform"])
def test_lymphocytes_lie_where_the_site_says(picture: Maker, architecture: str) -> None:
    def depth(site: str) -> NDArray[np.float32]:
        drawn = picture(inflammation="dense", inflammation_site=site, architecture=architecture)
        return np.asarray(drawn.epithelium[lymphocytes(drawn)])

    assert (depth("intraepithelial") > 0).mean() > 0.9
    assert (depth("stromal") < -6).mean() > 0.8
    edge = depth("interface")
    assert ((edge < 3) & (edge > -12.7)).mean() > 0.7
    assert np.median(edge) > np.median(depth("stromal"))
    assert (depth("perivascular") < 0).mean() > 0.85


def test_perivascular_lymphocytes_lie_in_cuffs_around_the_vessels_and_stromal_ones_do_not(picture: Maker) -> None:
    def near_vessels(site: str) -> float:
        drawn = picture(inflammation="dense", inflammation_site=site)
        which, corners = drawn.scene.placed.sorted_by_row(PATCH)
        vessels = corners + np.array([drawn.scene.placed.stamps[index].shape[:0:-1] for index in which]) // 2
        rows, columns = np.nonzero(lymphocytes(drawn))
        distance, _ = cKDTree(vessels).query(np.stack([columns, rows], axis=1))
        return float((distance < 68).mean())

    assert near_vessels("perivascular") > 0.9
    assert near_vessels("stromal") < 0.5


def test_desmoplastic_stroma_is_pink_and_myxoid_pale_blue(picture: Maker) -> None:
    tints = {}
    for value in ("desmoplastic", "myxoid"):
        drawn = picture(stroma=value)
        stroma = (drawn.epithelium < -8) & drawn.inside & (drawn.density < 0.4)
        red, green, blue = drawn.pixels[stroma].mean(axis=0)
        tints[value] = (red - blue, green)
    assert tints["desmoplastic"][0] > 15
    assert tints["myxoid"][0] < 0
    assert tints["myxoid"][1] > tints["desmoplastic"][1] + 20


def test_architectures_differ_in_number_size_and_shape_of_their_clear_spaces(picture: Maker) -> None:
    spaces = {}
    for architecture in ("glandular", "solid", "papillary", "cribriform"):
        lumen = picture(architecture=architecture).structure.lumen > 0
        labels, count = ndimage.label(lumen)
        areas = ndimage.sum_labels(lumen, labels, np.arange(1, count + 1)) * (CELL_PX * 0.5) ** 2 if count else [0.0]
        spaces[architecture] = (count, float(np.median(areas)), float(np.max(areas)))
    assert spaces["solid"][0] == 0
    assert spaces["cribriform"][0] > 2 * spaces["glandular"][0] > 10
    assert spaces["glandular"][1] > 1.5 * spaces["cribriform"][1]
    assert spaces["papillary"][2] > 5 * spaces["glandular"][2]


def test_regions_without_tumour_differ_in_colour_and_nuclei(picture: Maker) -> None:
    nuclear = {
        kind: float((drawn.density > NUCLEAR)[drawn.inside].mean())
        for kind in ("stroma", "necrosis", "lymphoid")
        if (drawn := picture(architecture=kind)) is not None
    }
    assert nuclear["lymphoid"] > 0.25
    assert nuclear["stroma"] < 0.05
    assert nuclear["necrosis"] < 0.1
    pink = [
        picture(architecture=kind).pixels[picture(architecture=kind).inside].mean(axis=0)
        for kind in ("stroma", "necrosis")
    ]
    assert pink[1][1] > pink[0][1] + 5, "necrosis is paler than collagen"


@pytest.mark.parametrize("size", ["small", "enlarged"])
@pytest.mark.parametrize("architecture", ["glandular", "solid", "papillary", "cribriform"])
def test_nearly_every_high_tile_in_tumour_holds_nuclei_enough_to_judge(
    picture: Maker, architecture: str, size: str
) -> None:
    drawn = picture(architecture=architecture, nuclear_size=size)
    nuclei = (drawn.density > 0.5) & (drawn.epithelium > 3)
    area_px = {"small": 120, "enlarged": 350}[size]
    tiles = [
        nuclei[top : top + 240, left : left + 240] for top in range(256, 1100, 90) for left in range(256, 1100, 90)
    ]
    counts = np.array([tile.sum() / area_px for tile in tiles])
    assert (counts >= 10).mean() > 0.9
    assert np.median(counts) >= 20
