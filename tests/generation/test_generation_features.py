"""Findings of several sources become scale-specific features."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.graph import Graph
from kg.link import Linker
from kg.vocabulary import Vocabulary, load_vocabulary
from schemas.errors import ConfigError, FileFormatError, InputError
from schemas.records import Field, Mention, Report, Section, Slide
from tasks.generation.config import FeaturesConfig
from tasks.generation.expert_captions import read_expert_captions
from tasks.generation.features import Evidence, attach_features, generate_features
from tasks.generation.findings import Finding, ScaleBox, Terms
from tasks.generation.linked_findings import ReportSource
from tasks.generation.open_findings import coherent, readable
from tasks.generation.reports import link_reports
from tasks.store import ShardWriter

Boxes = dict[str, tuple[float, float, float, float]]
Places = tuple[list[Field], Boxes]


def _region(x: float, y: float, width: float, height: float, **metadata: str) -> dict[str, Any]:
    ring = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]
    return {"geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"metadata": metadata}}


def _geojson(path: Path, *regions: dict[str, Any]) -> Path:
    features = [{"type": "Feature", **region} for region in regions]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture
def places() -> Places:
    """One field in the middle of 1,000 px: low 400, mid 100, high 20 px wide."""
    field = Field("field_1", "slide_breast", "p1", 500, 500, "low", "mid", "high", "breast")
    return [field], {"low": (300, 300, 400, 400), "mid": (450, 450, 100, 100), "high": (490, 490, 20, 20)}


@pytest.fixture
def attach(places: Places, slide: Slide, vocabulary: Vocabulary) -> Callable[..., dict[str, str]]:
    """attribute -> value for the one field, with the rejections under `!`."""

    def run(*, config: FeaturesConfig | None = None, **sources: Any) -> dict[str, str]:
        fields, boxes = places
        featured, rejections = attach_features(
            fields, slide, boxes, config or FeaturesConfig(), vocabulary, Evidence(**sources)
        )
        held = {
            f"{f.attribute}{'' if f.polarity == 'present' else '/' + f.polarity}": f.value for f in featured[0].features
        }
        return held | {"!": " ".join(sorted(row.reason for row in rejections))}

    return run


def test_a_region_gives_each_attribute_at_its_own_scale_and_the_diagnosis(
    tmp_path: Path, attach: Callable[..., dict[str, str]]
) -> None:
    region = _region(
        0, 0, 1000, 1000, architecture="solid", nucleoli="Prominent", stroma="desmoplastic stroma", reader="AB"
    )
    held = attach(annotations=_geojson(tmp_path / "a.geojson", region))
    expected = {"architecture": "solid", "nucleoli": "prominent", "stroma": "desmoplastic"}
    assert held == expected | {"diagnosis": "breast_medullary_carcinoma", "!": ""}


def test_a_small_region_speaks_of_the_high_scale_only(tmp_path: Path, attach: Callable[..., dict[str, str]]) -> None:
    region = _region(480, 480, 40, 40, architecture="solid", nucleoli="prominent")
    assert attach(annotations=_geojson(tmp_path / "a.geojson", region)) == {"nucleoli": "prominent", "!": ""}


@pytest.mark.parametrize(("split_x", "held"), [(420, "papillary"), (500, None), (580, "solid")])
def test_a_value_holds_where_it_holds_most_of_the_annotated_area(
    tmp_path: Path, attach: Callable[..., dict[str, str]], split_x: float, held: str | None
) -> None:
    left = _region(0, 0, split_x, 1000, architecture="solid")
    right = _region(split_x, 0, 1000 - split_x, 1000, architecture="papillary")
    found = attach(annotations=_geojson(tmp_path / "a.geojson", left, right))
    assert found.get("architecture") == held
    assert found["!"] == ("" if held else "ambiguous_feature no_features")


@settings(max_examples=40)
@given(pieces=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(5, 900)), max_size=8))
def test_overlapping_regions_of_one_value_count_once(
    pieces: list[tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory, slide: Slide, vocabulary: Vocabulary
) -> None:
    path = tmp_path_factory.mktemp("a") / "a.geojson"
    field = Field("field_1", "slide_breast", "p1", 500, 500, "low", None, None, "breast")
    solid = [_region(x, y, side, side, architecture="solid") for x, y, side in pieces]
    # The other value holds two thirds of the box for certain, so no heap of overlapping regions may outvote it.
    _geojson(path, *solid, _region(0, 0, 1000, 1000, architecture="papillary"))
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
    region = _region(0, 0, 1000, 1000)
    region["properties"] = {"classification": {"name": "Cribriform"}}
    assert attach(annotations=_geojson(tmp_path / "a.geojson", region))["architecture"] == "cribriform"


def test_an_unknown_value_is_rejected_once_and_an_annotated_diagnosis_wins(
    tmp_path: Path, attach: Callable[..., dict[str, str]]
) -> None:
    tubular = "tubular carcinoma of the breast"
    region = _region(0, 0, 1000, 1000, architecture="solid", nucleoli="huge", diagnosis=tubular)
    held = attach(annotations=_geojson(tmp_path / "a.geojson", region, region))
    assert held == {"architecture": "solid", "diagnosis": "breast_tubular_carcinoma", "!": "unknown_concept"}


def test_a_broken_annotation_file_is_one_clear_error(tmp_path: Path, attach: Callable[..., dict[str, str]]) -> None:
    path = tmp_path / "a.geojson"
    for content in ("{", '{"type": "x"}', '{"features": [{"geometry": {"type": "Polygon", "coordinates": 3}}]}'):
        path.write_text(content)
        with pytest.raises(FileFormatError, match=r"a\.geojson"):
            attach(annotations=path)


def _mentions(linker: Linker, text: str) -> list[Mention]:
    return link_reports([Report("report_1", "p1", (Section("microscopic", text),))], linker)


def test_reports_keep_their_status_and_what_no_slide_shows_is_rejected(
    attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    text = "Solid architecture with prominent nucleoli. No geographic necrosis. Stage pT2. Adenocarcinoma?"
    held = attach(mentions=_mentions(linker, text), graph=graph)
    assert held["nucleoli"] == "prominent"
    assert held["!"] == "not_visible unknown_concept"
    # solid is present, necrosis is denied: one attribute, two values, no contradiction
    assert held["architecture"] == "solid"
    assert held["architecture/absent"] == "necrosis"


def test_visible_findings_beyond_the_vocabulary_are_attributes_of_their_own(
    attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    text = "Inflammation and perineural invasion are seen; no keratin pearls."
    concluded = Section("final diagnosis", "Carcinoma; invasive lobular carcinoma.")
    mentions = link_reports([Report("report_1", "p1", (Section("microscopic", text), concluded))], linker)
    held = attach(mentions=mentions, graph=graph)
    assert held["finding/perineural_invasion"] == "present"
    assert held["finding/inflammation"] == "present"
    assert held["finding/keratin_pearls/absent"] == "present"
    assert held["diagnosis"] == "breast_lobular_carcinoma"
    assert "finding/perineural_invasion" not in attach(mentions=mentions)


def test_of_two_findings_the_closer_one_is_kept_and_headings_are_none(
    attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    text = "Invasion, perineural invasion; the nuclear size and the nucleolar finding are described. Carcinoma."
    concluded = Section("diagnosis", "Invasive lobular carcinoma, a carcinoma.")
    mentions = link_reports([Report("report_1", "p1", (Section("microscopic", text), concluded))], linker)
    held = attach(mentions=mentions, graph=graph)
    assert held.pop("!") == "unknown_concept unknown_concept"  # the two headings; what is said more closely is no loss
    assert held == {"finding/perineural_invasion": "present", "diagnosis": "breast_lobular_carcinoma"}


def test_what_is_denied_beside_one_of_its_kinds_is_left_open(
    attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    mentions = _mentions(linker, "No inflammation. Dense chronic inflammation. No lymphatic invasion; ulceration.")
    held = attach(mentions=mentions, graph=graph)
    assert held.pop("!") == "ambiguous_feature"
    assert held == {
        "inflammation": "dense",
        "finding/lymphatic_invasion/absent": "present",
        "finding/ulceration": "present",
    }


def test_findings_that_exclude_one_another_are_left_open(graph: Graph) -> None:
    edge = next(edge for edge in graph.edges if edge.modality == "excludes" and graph.nodes[edge.object].visible_scale)
    row = Finding("f", "low", "finding/x", "present", edge.object, "present", "report")
    claim = dataclasses.replace(row, attribute="diagnosis", concept_id=edge.subject)
    kept, rejections = coherent([row, claim], graph)
    assert kept == [claim]
    assert [rejection.reason for rejection in rejections] == ["ambiguous_feature"]
    assert coherent([row], graph) == ([row], [])


def test_a_concept_that_is_known_by_a_code_is_called_by_its_label() -> None:
    assert readable("NCIT:C140420", "Bladder Urothelial Carcinoma") == "bladder_urothelial_carcinoma"
    assert readable("SSG:perineural_invasion", "perineural invasion") == "perineural_invasion"


def test_a_diagnosis_is_that_of_the_slides_organ_as_the_conclusion_asserts_it(linker: Linker, graph: Graph) -> None:
    boxes = [ScaleBox("field_1", "low", "low", (0.0, 0.0, 9.0, 9.0))]
    hedged = Section("microscopic", "Suspicious for urothelial carcinoma.")
    concluded = Section("diagnosis", "Urothelial carcinoma; adenocarcinoma of the prostate.")
    mentions = link_reports([Report("report_1", "p1", (hedged, concluded))], linker)
    held = {}
    for organ in ("urinary bladder", "prostate", None):
        found, _ = ReportSource(mentions, Terms(load_vocabulary(), organ), graph, organ).read(boxes)
        held[organ] = {(row.value, row.polarity) for row in found if row.attribute == "diagnosis"}
    urothelial, prostatic = ("urothelial_carcinoma", "present"), ("prostate_adenocarcinoma", "present")
    assert held == {"urinary bladder": {urothelial}, "prostate": {prostatic}, None: {urothelial, prostatic}}


def test_reports_do_not_fill_in_what_an_annotated_place_leaves_out(
    tmp_path: Path, attach: Callable[..., dict[str, str]], linker: Linker
) -> None:
    region = _region(0, 0, 1000, 1000, architecture="stroma")
    mentions = _mentions(linker, "Papillary architecture, prominent nucleoli.")
    held = attach(annotations=_geojson(tmp_path / "a.geojson", region), mentions=mentions)
    assert held == {"architecture": "stroma", "!": ""}


def test_a_report_that_names_two_values_leaves_the_attribute_open(
    attach: Callable[..., dict[str, str]], linker: Linker
) -> None:
    held = attach(mentions=_mentions(linker, "Solid architecture and papillary architecture, prominent nucleoli."))
    assert held == {"nucleoli": "prominent", "!": "ambiguous_feature"}


def test_expert_captions_speak_of_their_scale_and_outrank_reports(
    tmp_path: Path, attach: Callable[..., dict[str, str]], linker: Linker
) -> None:
    path = tmp_path / "captions.csv"
    rows = [
        "slide_id,tile_id,scale,text,x,y,width,height",
        "slide_breast,high,high,Prominent nucleoli and desmoplastic stroma.,,,,",
        "slide_breast,,mid,Myxoid stroma.,440,440,100,100",
        "slide_breast,,mid,Dense chronic inflammation.,0,0,100,100",
        "other,,low,Solid architecture.,,,,",
    ]
    path.write_text("\n".join(rows))
    mentions = _mentions(linker, "Inconspicuous nucleoli.")
    held = attach(captions=read_expert_captions(path), linker=linker, mentions=mentions)
    assert held == {"nucleoli": "prominent", "stroma": "myxoid", "!": ""}


@pytest.mark.parametrize(
    "row", ['{"scale": "low"}', '{"scale": "x", "text": "a"}', "{", '{"scale": "low", "text": "a"}']
)
def test_a_malformed_caption_names_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"scale": "low", "text": "a", "slide_id": "s"}\n' + row)
    with pytest.raises(FileFormatError, match=r"captions\.jsonl, line 2"):
        read_expert_captions(path)


def test_captions_in_parquet_are_those_of_json_lines(tmp_path: Path) -> None:
    rows = [{"scale": "low", "text": "solid", "tile_id": "t", "x": None}, {"scale": "mid", "text": "b", "tile_id": "u"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert read_expert_captions(tmp_path / "a.parquet") == read_expert_captions(tmp_path / "a.jsonl")
    (tmp_path / "b.parquet").write_text("no table")
    with pytest.raises(FileFormatError, match=r"b\.parquet"):
        read_expert_captions(tmp_path / "b.parquet")


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
    _geojson(
        path, *[_region(x, 0, 150, 1000, architecture=("solid", "papillary")[x % 4 // 2]) for x in range(0, 900, 150)]
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
        _region(
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
    annotations = _geojson(tmp_path / "a.geojson", *regions)
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
