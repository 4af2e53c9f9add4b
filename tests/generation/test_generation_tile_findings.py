"""A vision endpoint looks at tiles: what it says of the closed vocabulary becomes features that certify nothing."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from demo.scripted_endpoint import Body, Fault, Said, ScriptedEndpoint
from kg.vocabulary import Vocabulary
from schemas.records import Field, Slide, Tile
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.generation.config import FeaturesConfig
from tasks.generation.features import Evidence, attach_features
from tasks.generation.findings import ScaleBox
from tasks.generation.inputs import StoredTile, StoredTiles
from tasks.generation.tile_findings import UNKNOWN, reply_of, undecided
from tasks.generation.view import trusted
from tasks.store import ROW_GROUP, ShardStore, ShardWriter

pytest.importorskip("openai", reason="the extra [llm] is not installed")
BOXES = {"low": (0.0, 0.0, 400.0, 400.0), "mid": (150.0, 150.0, 100.0, 100.0), "high": (190.0, 190.0, 20.0, 20.0)}
FIELD = Field("field_1", "slide_breast", "p1", 200, 200, "low", "mid", "high", "breast")
TILES = {name: StoredTile(b"\xff\xd8\xff" + name.encode(), 2.5) for name in BOXES}
SEEN = {"LowFindings": {"architecture": "solid"}, "MidFindings": {"stroma": "myxoid", "inflammation": UNKNOWN}}


def look(body: Body) -> Said:
    form = body["response_format"]["json_schema"]
    told = SEEN.get(form["name"], {})
    return Said(json.dumps({name: told.get(name, UNKNOWN) for name in form["schema"]["properties"]}))


def attach(
    server: ScriptedEndpoint, folder: Path, slide: Slide, vocabulary: Vocabulary, annotations: Path | None = None
) -> tuple[Field, list[str]]:
    asker = Endpoint(EndpointConfig(base_url=server.url, model="m", attempts=1, backoff_s=0.01), folder / "endpoint")
    config = FeaturesConfig(sources=("annotation", "endpoint"))
    evidence = Evidence(annotations=annotations, tiles=TILES, asker=asker)
    (field,), rejections = attach_features([FIELD], slide, BOXES, config, vocabulary, evidence)
    return field, [row.reason for row in rejections]


def test_each_tile_is_looked_at_once_and_what_is_seen_becomes_a_feature_of_its_scale(
    tmp_path: Path, slide: Slide, vocabulary: Vocabulary
) -> None:
    with ScriptedEndpoint(look) as server:
        field, rejections = attach(server, tmp_path, slide, vocabulary)
    seen = {(feature.scale, feature.attribute, feature.value, feature.source) for feature in field.features}
    assert seen == {
        ("low", "architecture", "solid", "endpoint"),
        ("low", "diagnosis", "breast_medullary_carcinoma", "endpoint"),
        ("mid", "stroma", "myxoid", "endpoint"),
    }
    assert rejections == []
    assert not trusted(field.features)
    shown = [call.body["messages"][1]["content"] for call in server.calls]
    assert len(shown) == 3
    assert all(parts[1]["image_url"]["url"].startswith("data:image/jpeg;base64,") for parts in shown)


def test_a_tile_whose_scale_is_decided_already_is_not_looked_at(
    tmp_path: Path, slide: Slide, vocabulary: Vocabulary
) -> None:
    ring = [[0, 0], [400, 0], [400, 400], [0, 400], [0, 0]]
    solid = {"metadata": {"architecture": "solid"}}
    region = {"geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": solid}
    annotations = tmp_path / "a.geojson"
    annotations.write_text(json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", **region}]}))
    with ScriptedEndpoint(look) as server:
        field, _ = attach(server, tmp_path, slide, vocabulary, annotations)
    assert {feature.source for feature in field.features if feature.scale == "low"} == {"annotation"}
    assert "LowFindings" not in {call.body["response_format"]["json_schema"]["name"] for call in server.calls}


def test_a_tile_without_an_answer_is_a_rejection(tmp_path: Path, slide: Slide, vocabulary: Vocabulary) -> None:
    faults: list[Fault] = ["refuse", "decline", "fail"]
    with ScriptedEndpoint(look, lambda _digest, _before: faults.pop()) as server:
        field, rejections = attach(server, tmp_path, slide, vocabulary)
    assert field.features == ()
    assert sorted(rejections) == ["endpoint_failed", "endpoint_failed", "no_features", "refused"]


def test_the_form_of_an_answer_is_the_closed_vocabulary_of_its_scale(vocabulary: Vocabulary) -> None:
    asked = {name: set(column["enum"]) for name, column in reply_of("mid").model_json_schema()["properties"].items()}
    assert asked == {
        name: {*attribute.values, UNKNOWN}
        for name, attribute in vocabulary.attributes.items()
        if attribute.scale == "mid"
    }


def test_with_nothing_known_every_box_is_undecided() -> None:
    boxes = [ScaleBox("field_1", name, name, box) for name, box in BOXES.items()]  # type: ignore[arg-type]
    assert undecided(boxes, {}) == boxes


def test_of_a_slides_images_a_row_group_is_held_at_a_time(store: ShardStore) -> None:
    count, size = 3 * ROW_GROUP, 20_000

    def tiling(out: ShardWriter) -> None:
        with out.stream("tiles", Tile) as append:
            for first in range(0, count, 100):
                append([_tile(number, size) for number in range(first, min(first + 100, count))])
        out.count(items_in=0, items_out=0, rejections=[])

    store.ensure("tiling", "key", tiling)
    tiles = StoredTiles(store.open("tiling", "key"))
    names = list(tiles)
    assert names == [f"tile_{number:04}" for number in range(count)]
    tracemalloc.start()
    seen = sum(len(tiles[name].image) for name in names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == count * size
    assert peak < seen / 2
    assert tiles[names[1]].image.startswith(b"0001")


def _tile(number: int, size: int) -> Tile:
    box = (0, 0, 100, 100, 256, 256, 1.0, 1.0, 1.0, 0.0, 0.0, "native")
    image = f"{number:04}".encode().ljust(size, b"x")
    return Tile(f"tile_{number:04}", "slide", "field", "low", 10.0, *box, image)
