"""Findings of several sources become scale-specific features."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.vocabulary import Vocabulary
from schemas.errors import ConfigError, FileFormatError, InputError
from schemas.records import Field, Slide
from tasks.generation.config import FeaturesConfig
from tasks.generation.expert_captions import read_expert_captions
from tasks.generation.features import Evidence, attach_features, generate_features
from tasks.store import ShardWriter
from tests.generation.conftest import Boxes, Places, geojson, region


def test_a_region_gives_each_attribute_at_its_own_scale_and_the_diagnosis(
    tmp_path: Path, attach: Callable[..., dict[str, str]]
) -> None:
    annotated = region(
        0, 0, 1000, 1000, architecture="solid", nucleoli="Prominent", stroma="desmoplastic stroma", reader="AB"
    )
    held = attach(annotations=geojson(tmp_path / "a.geojson", annotated))
    expected = {"architecture": "solid", "nucleoli": "prominent", "stroma": "desmoplastic"}
    assert held == expected | {"diagnosis": "breast_medullary_carcinoma", "!": ""}


def test_a_small_region_speaks_of_the_high_scale_only(tmp_path: Path, attach: Callable[..., dict[str, str]]) -> None:
    annotated = region(480, 480, 40, 40, architecture="solid", nucleoli="prominent")
    assert attach(annotations=geojson(tmp_path / "a.geojson", annotated)) == {"nucleoli": "prominent", "!": ""}


@pytest.mark.parametrize(("split_x", "held"), [(420, "papillary"), (500, None), (580, "solid")])
def test_a_value_holds_where_it_holds_most_of_the_annotated_area(
    tmp_path: Path, attach: Callable[..., dict[str, str]], split_x: float, held: str | None
) -> None:
    left = region(0, 0, split_x, 1000, architecture="solid")
    right = region(split_x, 0, 1000 - split_x, 1000, architecture="papillary")
    found = attach(annotations=geojson(tmp_path / "a.geojson", left, right))
    assert found.get("architecture") == held
    assert found["!"] == ("" if held else "ambiguous_feature no_features")


@settings(max_examples=40)
@given(pieces=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(5, 900)), max_size=8))
def test_overlapping_regions_of_one_value_count_once(
    pieces: list[tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory, slide: Slide, vocabulary: Vocabulary
) -> None:
    path = tmp_path_factory.mktemp("a") / "a.geojson"
    field = Field("field_1", "slide_breast", "p1", 500, 500, "low", None, None, "breast")
    solid = [region(x, y, side, side, architecture="solid") for x, y, side in pieces]
    # The other value holds two thirds of the box for certain, so no heap of overlapping regions may outvote it.
    geojson(path, *solid, region(0, 0, 1000, 1000, architecture="papillary"))
    featured, _ = attach_features(
        [field],
        slide,
        {"low": (300, 300, 400, 400)},
        FeaturesConfig(min_share=0.51),
        vocabulary,
        Evidence(annotations=path),
    )
    assert {f.value for f in featured[0].features if f.attribute == "architecture"} <= {"papillary"}


def test_a_classification_stands_for_its_value_where_there_is_no_metadata(
    tmp_path: Path, attach: Callable[..., dict[str, str]]
) -> None:
    annotated = region(0, 0, 1000, 1000)
    annotated["properties"] = {"classification": {"name": "Cribriform"}}
    assert attach(annotations=geojson(tmp_path / "a.geojson", annotated))["architecture"] == "cribriform"


def test_an_unknown_value_is_rejected_once_and_an_annotated_diagnosis_wins(
    tmp_path: Path, attach: Callable[..., dict[str, str]]
) -> None:
    tubular = "tubular carcinoma of the breast"
    annotated = region(0, 0, 1000, 1000, architecture="solid", nucleoli="huge", diagnosis=tubular)
    held = attach(annotations=geojson(tmp_path / "a.geojson", annotated, annotated))
    assert held == {"architecture": "solid", "diagnosis": "breast_tubular_carcinoma", "!": "unknown_concept"}


def test_a_broken_annotation_file_is_one_clear_error(tmp_path: Path, attach: Callable[..., dict[str, str]]) -> None:
    path = tmp_path / "a.geojson"
    for content in ("{", '{"type": "x"}', '{"features": [{"geometry": {"type": "Polygon", "coordinates": 3}}]}'):
        path.write_text(content)
        with pytest.raises(FileFormatError, match=r"a\.geojson"):
            attach(annotations=path)


def test_captions_without_a_linker_and_tiles_without_a_box_are_errors(
    tmp_path: Path, places: Places, slide: Slide, vocabulary: Vocabulary, attach: Callable[..., dict[str, str]]
) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"scale": "low", "text": "a", "slide_id": "slide_breast"}')
    with pytest.raises(InputError, match="linker"):
        attach(captions=read_expert_captions(path))
    with pytest.raises(InputError, match="no box for its tile mid"):
        attach_features(places[0], slide, {"low": (0, 0, 1, 1)}, FeaturesConfig(), vocabulary, Evidence())


def test_a_field_that_nothing_is_known_of_stays_and_is_counted(
    places: Places, slide: Slide, vocabulary: Vocabulary, writer: ShardWriter
) -> None:
    fields, boxes = places
    featured = generate_features(fields, slide, boxes, FeaturesConfig(), vocabulary, Evidence(), writer)
    assert [field.features for field in featured] == [()]
    assert (writer.items_in, writer.items_out, dict(writer.rejected)) == (1, 0, {"no_features": 1})


@settings(max_examples=15)
@given(order=st.permutations(range(6)))
def test_permuted_fields_give_permuted_features(
    order: list[int], tmp_path_factory: pytest.TempPathFactory, slide: Slide, vocabulary: Vocabulary
) -> None:
    path = tmp_path_factory.getbasetemp() / "permuted.geojson"
    geojson(
        path, *[region(x, 0, 150, 1000, architecture=("solid", "papillary")[x % 4 // 2]) for x in range(0, 900, 150)]
    )
    fields = [Field(f"f{n}", "slide_breast", "p1", 0, 0, f"low{n}", None, None, "breast") for n in range(6)]
    boxes: Boxes = {f"low{n}": (150.0 * n, 0.0, 140.0, 140.0) for n in range(6)}

    def attached(several: list[Field]) -> list[Field]:
        evidence = Evidence(annotations=path)
        return attach_features(several, slide, boxes, FeaturesConfig(), vocabulary, evidence)[0]

    whole = attached(fields)
    assert all(field.features for field in whole)
    assert attached([fields[n] for n in order]) == [whole[n] for n in order]


def test_a_source_cannot_be_named_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        FeaturesConfig(sources=("report", "report"))
    assert issubclass(ConfigError, InputError)


def test_1200_fields_take_less_than_5_cpu_seconds(tmp_path: Path, slide: Slide, vocabulary: Vocabulary) -> None:
    regions = [
        region(
            500 * column,
            500 * row,
            500,
            500,
            architecture=("solid", "papillary")[(row + column) % 2],
            nucleoli="prominent",
        )
        for row in range(12)
        for column in range(12)
    ]
    annotations = geojson(tmp_path / "a.geojson", *regions)
    fields: list[Field] = []
    boxes: Boxes = {}
    for number in range(1200):
        x, y = 13 * number % 5000, 29 * number % 5000
        fields.append(Field(f"field_{number}", "s", "p1", x, y, f"l{number}", f"m{number}", f"h{number}", "breast"))
        boxes |= {f"l{number}": (x, y, 600, 600), f"m{number}": (x, y, 150, 150), f"h{number}": (x, y, 30, 30)}
    started = time.process_time()
    featured, _ = attach_features(fields, slide, boxes, FeaturesConfig(), vocabulary, Evidence(annotations=annotations))
    assert time.process_time() - started < 5
    assert sum(any(f.attribute == "nucleoli" for f in field.features) for field in featured) == 1200
