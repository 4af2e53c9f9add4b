"""Centres from annotation files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.errors import FileFormatError
from tasks.annotation_files import read_annotations
from tasks.tiling.config import AnnotatedCentres
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.manifest import SlideSource
from tasks.tiling.scales import ScalePlan

Point = tuple[float, float]


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
    path = source.root / source.annotations
    if not path.is_file():
        raise RefusedSlideError(f"has annotations in {source.annotations}, which does not exist", reason="missing_file")
    from shapely.errors import ShapelyError

    try:
        annotations = read_annotations(path, bounds[:2])
        wanted = [each.geometry for each in annotations if not centres.classes or each.class_name in centres.classes]
        stride = finest.tile_px if centres.stride_um is None else max(1, round(centres.stride_um / finest.mpp))
        points = [point for geometry in wanted for point in _points(geometry, centres.fill, stride, finest.step_px0)]
    except (FileFormatError, ShapelyError) as error:
        problem = f"has annotations in {source.annotations} that cannot be understood: {error}"
        raise RefusedSlideError(problem, reason="unreadable") from error
    return list(dict.fromkeys(finest.origin(point) for point in points))


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
