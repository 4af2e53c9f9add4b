"""Centres from annotation files: GeoJSON (as QuPath exports it) and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tasks.tiling.config import AnnotatedCentres
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.manifest import SlideSource
from tasks.tiling.scales import ScalePlan

Point = tuple[float, float]
_COLUMNS = ("x_px0", "y_px0")


def annotated_origins(
    finest: ScalePlan, bounds: tuple[int, int, int, int], source: SlideSource, centres: AnnotatedCentres
) -> list[tuple[int, int]]:
    """Return the first plane pixels (x, y) of the finest tiles around annotated points and regions, none twice.

    Raises:
        RefusedSlideError: the slide has no annotation file, or it cannot be understood.
    """
    if not source.annotations:
        raise RefusedSlideError(
            "has no annotations", reason="missing_file", remedy="fill the manifest's column annotations"
        )
    from shapely.errors import ShapelyError

    path = source.root / source.annotations
    if not path.is_file():
        raise RefusedSlideError(f"has annotations in {source.annotations}, which does not exist", reason="missing_file")
    try:
        text = path.read_text(encoding="utf-8-sig")
        shapes = list(_from_csv(text) if path.suffix.lower() == ".csv" else _from_geojson(json.loads(text)))
        wanted = [geometry for name, geometry in shapes if not centres.classes or name in centres.classes]
        stride = finest.tile_px if centres.stride_um is None else max(1, round(centres.stride_um / finest.mpp))
        points = [point for geometry in wanted for point in _points(geometry, centres.fill, stride, finest.step_px0)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ShapelyError) as error:
        problem = f"has annotations in {source.annotations} that cannot be understood: {error}"
        raise RefusedSlideError(problem, reason="unreadable", remedy="export them as GeoJSON or CSV") from error
    x, y = bounds[:2]
    origins = [finest.origin((x + point[0], y + point[1])) if x or y else finest.origin(point) for point in points]
    return list(dict.fromkeys(origins))


def _from_geojson(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield (class, geometry) of every feature: a FeatureCollection, a list of features, or one feature."""
    from shapely.geometry import shape

    if isinstance(document, dict):
        document = document["features"] if document.get("type") == "FeatureCollection" else [document]
    for feature in document:
        properties = feature.get("properties") or {}
        classification = properties.get("classification") or {}
        name = classification.get("name") or properties.get("class") or properties.get("name") or ""
        yield str(name), shape(feature["geometry"])


def _from_csv(text: str) -> Iterator[tuple[str, Any]]:
    """Yield (class, point) of every row with the columns x_px0, y_px0 and optionally class."""
    from shapely.geometry import Point as ShapelyPoint

    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        raise ValueError(f"column {', '.join(missing)} is missing")
    for row in reader:
        yield row.get("class") or "", ShapelyPoint(float(row["x_px0"]), float(row["y_px0"]))


def _points(geometry: Any, fill: bool, stride: int, step_px0: tuple[float, float]) -> Sequence[Point]:
    """Return the centres (level-0 pixels) that one annotation asks for.

    Points stand for themselves. A region gives one point inside it, or with `fill` the points of a grid inside it. The
    grid's phase is that of the slide, so regions that meet share one grid.
    """
    if geometry.is_empty:
        return []
    if geometry.geom_type == "Point":
        return [(geometry.x, geometry.y)]
    if geometry.geom_type in ("MultiPoint", "GeometryCollection"):
        return [point for part in geometry.geoms for point in _points(part, fill, stride, step_px0)]
    if not geometry.is_valid:
        geometry = geometry.buffer(0)
    if fill and geometry.area > 0:
        return _grid_inside(geometry, (stride * step_px0[0], stride * step_px0[1]))
    inside = geometry.representative_point()
    return [] if inside.is_empty else [(inside.x, inside.y)]


def _grid_inside(geometry: Any, pitch: Point) -> list[Point]:
    import math

    import shapely

    left, top, right, bottom = geometry.bounds
    shapely.prepare(geometry)
    columns = range(math.floor(left / pitch[0]), math.ceil(right / pitch[0]))
    rows = range(math.floor(top / pitch[1]), math.ceil(bottom / pitch[1]))
    points = [((column + 0.5) * pitch[0], (row + 0.5) * pitch[1]) for row in rows for column in columns]
    return [point for point in points if shapely.contains_xy(geometry, *point)]
