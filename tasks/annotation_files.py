"""Annotation files: GeoJSON as QuPath exports it, and CSV of points; tiling and generation read them alike."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import FileFormatError

_COLUMNS = ("x_px0", "y_px0")
_EXPORT = "export the annotations as GeoJSON or CSV"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated point or region. Frame: level-0 pixels of the whole slide."""

    geometry: Any
    class_name: str
    """Empty where it has no class."""
    properties: Mapping[str, Any]


def read_annotations(path: Path, corner_px0: tuple[int, int] = (0, 0)) -> list[Annotation]:
    """Return the annotations of a slide.

    Args:
        path: CSV with the columns `x_px0, y_px0` and optionally `class`, in level-0 pixels as they are named; else
            GeoJSON: a FeatureCollection, a list of features, or one feature.
        corner_px0: upper left corner (x, y) of the slide's bounds. GeoJSON counts from it: QuPath crops slides to
            their bounds.

    Raises:
        FileFormatError: the file is missing, or cannot be understood.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FileFormatError(
            f"{path.name}: there is no such annotation file", remedy="mend the manifest's column annotations"
        ) from error
    except OSError as error:
        raise FileFormatError(f"{path.name}: cannot be read: {error.strerror}", remedy="check the file") from error
    except ValueError as error:
        raise FileFormatError(f"{path.name}: is not UTF-8 text", remedy=_EXPORT) from error
    rows = _points(text, path.name) if path.suffix.lower() == ".csv" else _features(text, path.name, corner_px0)
    return list(rows)


def _points(text: str, name: str) -> Iterator[Annotation]:
    from shapely.geometry import Point

    reader = csv.DictReader(io.StringIO(text))
    if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or [])]:
        raise FileFormatError(f"{name}: column {', '.join(missing)} is missing", remedy=_EXPORT)
    for row in reader:
        try:
            place = Point(float(row["x_px0"]), float(row["y_px0"]))
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"{name}: line {reader.line_num}: {error}", remedy="give numbers") from error
        yield Annotation(place, row.get("class") or "", {})


def _features(text: str, name: str, corner_px0: tuple[int, int]) -> Iterator[Annotation]:
    from shapely.errors import ShapelyError

    try:
        document = json.loads(text)
    except ValueError as error:
        raise FileFormatError(f"{name}: is not GeoJSON: {error}", remedy=_EXPORT) from error
    if isinstance(document, dict):
        document = [document] if document.get("type") == "Feature" else document.get("features")
    if not isinstance(document, list):
        raise FileFormatError(f"{name}: no `features`", remedy=_EXPORT)
    for number, feature in enumerate(document):
        try:
            yield _annotation(feature, corner_px0)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, ShapelyError) as error:
            problem = f"{name}: feature {number} cannot be understood: {error}"
            raise FileFormatError(problem, remedy="export points, and polygons with closed rings") from error


def _annotation(feature: Any, corner_px0: tuple[int, int]) -> Annotation:
    from shapely.affinity import translate
    from shapely.geometry import shape

    geometry = translate(shape(feature["geometry"]), *corner_px0)
    properties = feature.get("properties") or {}
    classification = properties.get("classification") or {}
    name = classification.get("name") or properties.get("class") or properties.get("name") or ""
    return Annotation(geometry, str(name), properties)
