from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Field, Rejection
from tasks.store import Shard
from tasks.tiling.annotations import annotated_origins
from tasks.tiling.config import AnnotatedCentres
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.manifest import SlideSource
from tasks.tiling.scales import ScalePlan

PLAN = ScalePlan("high", 0.5, 0, (1.0, 1.0), (1.0, 1.0), 64)
BOUNDS = (0, 0, 2000, 2000)


def square(x: int, y: int, side: int) -> dict[str, Any]:
    ring = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {"type": "Polygon", "coordinates": [ring]}


def feature(geometry: dict[str, Any], name: str) -> dict[str, Any]:
    properties = {"objectType": "annotation", "classification": {"name": name, "color": [200, 0, 0]}}
    return {"type": "Feature", "id": "0", "geometry": geometry, "properties": properties}


@pytest.fixture
def source(tmp_path: Path) -> SlideSource:
    return SlideSource(tmp_path / "s.svs", "s.svs", "s.svs", "P1", "0" * 64, 1, tmp_path)


def centres(source: SlideSource, name: str, content: str, **config: Any) -> list[tuple[int, int]]:
    (source.root / name).write_text(content)
    origins = annotated_origins(PLAN, BOUNDS, replace(source, annotations=name), AnnotatedCentres(**config))
    return [(x + 32, y + 32) for x, y in origins]


def test_points_and_regions_of_geojson_are_centres(source: SlideSource) -> None:
    point = feature({"type": "Point", "coordinates": [500, 600]}, "Mitosis")
    many = feature({"type": "MultiPoint", "coordinates": [[100, 100], [900, 100]]}, "Mitosis")
    region = feature(square(200, 300, 100), "Tumor")
    document = json.dumps({"type": "FeatureCollection", "features": [point, many, region]})
    assert centres(source, "a.geojson", document) == [(500, 600), (100, 100), (900, 100), (250, 350)]
    assert centres(source, "a.geojson", document, classes=("Tumor",)) == [(250, 350)]


def test_qupath_exports_a_bare_list_or_one_feature(source: SlideSource) -> None:
    region = feature(square(200, 300, 100), "Tumor")
    assert centres(source, "list.json", json.dumps([region, region])) == [(250, 350)]
    assert centres(source, "one.json", json.dumps(region)) == [(250, 350)]


def test_a_region_can_be_filled_with_a_grid(source: SlideSource) -> None:
    document = json.dumps([feature(square(128, 128, 256), "Tumor")])
    filled = centres(source, "a.geojson", document, fill=True)
    assert filled == [(x, y) for y in range(160, 384, 64) for x in range(160, 384, 64)]
    dense = centres(source, "a.geojson", document, fill=True, stride_um=16)
    assert len(dense) == 4 * len(filled)


def test_a_region_with_a_hole_or_a_crossing_is_understood(source: SlideSource) -> None:
    ring = square(0, 0, 600)
    ring["coordinates"].append(square(100, 100, 400)["coordinates"][0])
    document = json.dumps([feature(ring, "Tumor")])
    for x, y in centres(source, "a.geojson", document, fill=True):
        assert not (100 < x < 500 and 100 < y < 500)
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [200, 200], [200, 0], [0, 200], [0, 0]]]}
    assert len(centres(source, "bow.geojson", json.dumps([feature(bow, "Tumor")]))) == 1


def test_csv_rows_are_centres(source: SlideSource) -> None:
    text = "x_px0,y_px0,class\n100,200,Tumor\n300.4,400,Stroma\n"
    assert centres(source, "a.csv", text) == [(100, 200), (300, 400)]
    assert centres(source, "a.csv", text, classes=("Stroma",)) == [(300, 400)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "x,y\n1,2\n", "column x_px0, y_px0 is missing"),
        ("a.csv", "x_px0,y_px0\n1,two\n", "could not convert"),
        ("a.geojson", "{", "cannot be understood"),
        ("a.geojson", '{"features": 3}', "cannot be understood"),
        ("a.geojson", '[{"geometry": {"type": "Blob", "coordinates": []}}]', "cannot be understood"),
    ],
)
def test_annotations_that_make_no_sense_refuse_the_slide(
    source: SlideSource, name: str, content: str, words: str
) -> None:
    with pytest.raises(RefusedSlideError, match=words) as caught:
        centres(source, name, content)
    assert caught.value.reason == "unreadable"


def test_missing_annotations_refuse_the_slide(source: SlideSource) -> None:
    for listed in (None, "gone.geojson"):
        with pytest.raises(RefusedSlideError) as caught:
            annotated_origins(PLAN, BOUNDS, replace(source, annotations=listed), AnnotatedCentres())
        assert caught.value.reason == "missing_file"


def test_annotated_centres_become_fields_or_rejections(
    plain_slide: Path, tile: Callable[..., Shard], source_of: Callable[..., SlideSource], tmp_path: Path, small: Any
) -> None:
    points = {"type": "MultiPoint", "coordinates": [[800, 600], [700, 500], [20, 20], [5000, 5000]]}
    (tmp_path / "a.geojson").write_text(json.dumps([feature(points, "Tumor")]))
    source = source_of(plain_slide, root=tmp_path, annotations="a.geojson")
    shard = tile(source, **(small | {"centres": {"kind": "annotations"}}))
    assert [(row.centre_x_px0, row.centre_y_px0) for row in shard.records("fields", Field)] == [(700, 500), (800, 600)]
    assert sorted(row.reason for row in shard.records("rejections", Rejection)) == ["background", "outside_slide"]
    assert shard.info.items_in == 4
