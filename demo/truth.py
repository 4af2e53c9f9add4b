"""The truth of a slide as annotations: one polygon per region, as QuPath exports them."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from contourpy import contour_generator
from scipy.ndimage import gaussian_filter
from shapely.geometry import MultiPolygon, Polygon

from demo.layout import CELL_PX, Layout
from demo.plan import Attributes, SlidePlan
from demo.vocabulary import vocabulary
from schemas.ids import digest

# Level of the smoothed region mask that a polygon follows: inside the half, so that neighbours stay apart.
INNER_LEVEL = 0.9
SMOOTH_CELLS = 2.0
SIMPLIFY_CELLS = 0.6
LEAST_CELLS = 2500.0  # 0.04 mm2; a smaller scrap of a region is not annotated
CLASSES = {"stroma": "Stroma", "necrosis": "Necrosis", "lymphoid": "Immune cells"}  # QuPath's names; all others "Tumor"


def region_annotations(plan: SlidePlan, layout: Layout) -> dict[str, Any]:
    """Return a slide's regions as a GeoJSON FeatureCollection.

    Every feature is a polygon in level-0 pixels whose `properties.metadata` holds the region's attributes and, for
    tumour, the diagnosis that its architecture supports in the slide's organ.
    """
    features = []
    for number in range(1, int(layout.territory.max()) + 1):
        polygon = outline(layout, number)
        if polygon is not None:
            region = plan.regions[(number - 1) % len(plan.regions)]
            features.append(_feature(plan, number, region, polygon))
    return {"type": "FeatureCollection", "features": features}


def outline(layout: Layout, number: int) -> Polygon | None:
    """Return the polygon of a region in level-0 pixels, a few um inside its border; None if nothing of it is left.

    Polygons of one slide are valid, disjoint and lie inside the slide.
    """
    own = np.pad((layout.labels == number).astype(np.float32), 1)
    smooth = gaussian_filter(own, SMOOTH_CELLS, truncate=2.0)
    rings = [line for line in contour_generator(z=smooth).lines(INNER_LEVEL) if len(line) > 3]
    if not rings:
        return None
    largest = max((Polygon(ring) for ring in rings), key=lambda polygon: polygon.area)
    simple = largest.simplify(SIMPLIFY_CELLS).buffer(0)
    if isinstance(simple, MultiPolygon):
        simple = max(simple.geoms, key=lambda polygon: polygon.area)
    if simple.area < LEAST_CELLS:
        return None
    corners = (np.asarray(simple.exterior.coords) - 0.5) * CELL_PX  # half a cell to its centre, one cell of padding
    return Polygon(np.rint(corners))


def _feature(plan: SlidePlan, number: int, region: Attributes, polygon: Polygon) -> dict[str, Any]:
    architecture = region["architecture"]
    metadata = dict(region)
    diagnosis = vocabulary().diagnoses.get((plan.organ, architecture))
    if diagnosis is not None:
        metadata["diagnosis"] = diagnosis
    return {
        "type": "Feature",
        "id": str(uuid.UUID(digest(plan.name, number, metadata)[:32])),
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[int(x), int(y)] for x, y in polygon.exterior.coords]],
        },
        "properties": {
            "objectType": "annotation",
            "name": f"region {number}",
            "classification": {"name": CLASSES.get(architecture, "Tumor")},
            "metadata": metadata,
        },
    }
