"""Features from reports and from experts' captions: status, closeness, and which source decides."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kg.graph import Graph
from kg.link import Linker
from kg.vocabulary import load_vocabulary
from schemas.errors import FileFormatError
from schemas.records import Mention, Report, Section, Slide
from tasks.generation.expert_captions import read_expert_captions
from tasks.generation.findings import Finding, ScaleBox, Terms
from tasks.generation.linked_findings import ReportSource
from tasks.generation.open_findings import coherent, readable
from tasks.generation.reports import link_reports
from tasks.generation.unplaced import unplaced
from tests.generation.conftest import Places, geojson, region


def _mentions(linker: Linker, text: str, *more: Section) -> list[Mention]:
    return link_reports([Report("report_1", "p1", (Section("microscopic", text), *more))], linker)


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
    mentions = _mentions(linker, text, Section("final diagnosis", "Carcinoma; invasive lobular carcinoma."))
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
    mentions = _mentions(linker, text, Section("diagnosis", "Invasive lobular carcinoma, a carcinoma."))
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


@pytest.mark.parametrize(
    "title",
    [
        "clinical diagnosis",
        "Preoperative diagnosis",
        "pre-operative diagnosis",
        "differential diagnosis",
        "provisional diagnosis",
        "clinical history",
        "reason for referral",
        "indications",
        "frozen section diagnosis",
    ],
)
def test_what_was_thought_before_the_slides_were_read_is_no_finding(
    attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph, title: str
) -> None:
    before = Section(title, "Invasive ductal carcinoma with perineural invasion.")
    after = Section("final diagnosis", "Benign breast tissue. No evidence of malignancy.")
    held = attach(mentions=_mentions(linker, "Prominent nucleoli.", before, after), graph=graph)
    assert held == {"nucleoli": "prominent", "!": "unknown_concept unknown_concept unknown_concept"}


def test_a_diagnosis_whose_kind_the_conclusion_denies_is_left_open(
    attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    text, diagnosis = "Medullary carcinoma of the breast.", {"diagnosis": "breast_medullary_carcinoma"}
    denied = attach(mentions=_mentions(linker, text, Section("diagnosis", "No malignancy.")), graph=graph)
    assert denied == {"!": "ambiguous_feature no_features unknown_concept"}
    margins = Section("diagnosis", f"{text} Margins are free of malignancy.")
    assert diagnosis.items() <= attach(mentions=_mentions(linker, text, margins), graph=graph).items()


def test_reports_do_not_fill_in_what_an_annotated_place_leaves_out(
    tmp_path: Path, attach: Callable[..., dict[str, str]], linker: Linker
) -> None:
    annotated = region(0, 0, 1000, 1000, architecture="stroma")
    mentions = _mentions(linker, "Papillary architecture, prominent nucleoli.")
    held = attach(annotations=geojson(tmp_path / "a.geojson", annotated), mentions=mentions)
    assert held == {"architecture": "stroma", "!": ""}


def test_a_report_that_names_two_values_leaves_the_attribute_open(
    attach: Callable[..., dict[str, str]], linker: Linker
) -> None:
    held = attach(mentions=_mentions(linker, "Solid architecture and papillary architecture, prominent nucleoli."))
    assert held == {"nucleoli": "prominent", "!": "ambiguous_feature"}


def test_what_a_caption_asserts_here_and_denies_there_is_left_open(
    tmp_path: Path, attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    path = tmp_path / "captions.jsonl"
    for text in (
        "Lymphovascular invasion at the edge; the centre is without lymphovascular invasion.",
        "The centre is without lymphovascular invasion; lymphovascular invasion at the edge.",
    ):
        path.write_text(json.dumps({"scale": "mid", "field_id": "field_1", "text": f"{text} Myxoid stroma."}))
        held = attach(captions=read_expert_captions(path), linker=linker, graph=graph)
        assert held == {"stroma": "myxoid", "!": "ambiguous_feature"}


def test_a_diagnosis_that_is_denied_is_not_derived_from_the_architecture(
    attach: Callable[..., dict[str, str]], linker: Linker
) -> None:
    derived = {"architecture": "solid", "diagnosis": "breast_medullary_carcinoma", "!": ""}
    assert attach(mentions=_mentions(linker, "Solid architecture.")) == derived
    denied = {"architecture": "solid", "diagnosis/absent": "breast_medullary_carcinoma", "!": ""}
    assert attach(mentions=_mentions(linker, "Solid architecture, no medullary carcinoma of the breast.")) == denied


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
    # the desmoplastic stroma is not seen at the high scale; the inflammation is that of no field
    assert held == {"nucleoli": "prominent", "stroma": "myxoid", "!": "not_visible unknown_place"}


@pytest.mark.parametrize(
    ("place", "held"),
    [
        ({"field_id": "field_1"}, {"nucleoli": "prominent", "!": ""}),
        ({"slide_id": "a.svs"}, {"nucleoli": "prominent", "!": ""}),
        ({"slide_id": "a.svs", "field_id": "field_9"}, {"!": "no_features unknown_place"}),
        ({"tile_id": "low"}, {"!": "no_features unknown_place"}),
        ({"field_id": "field_9"}, {"!": "no_features"}),  # of another slide, or told once for the run
    ],
)
def test_a_caption_that_binds_to_nothing_of_its_slide_is_rejected(
    tmp_path: Path, attach: Callable[..., dict[str, str]], linker: Linker, place: dict[str, str], held: dict[str, str]
) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text(json.dumps({"scale": "high", "text": "Prominent nucleoli."} | place))
    assert attach(captions=read_expert_captions(path), linker=linker) == held


def test_what_a_caption_names_at_another_scale_or_beyond_all_use_is_rejected_once(
    tmp_path: Path, attach: Callable[..., dict[str, str]], linker: Linker, graph: Graph
) -> None:
    path = tmp_path / "captions.jsonl"
    text = "Prominent nucleoli, perineural invasion. Adenocarcinoma, stage pT2. Solid architecture."
    row = json.dumps({"scale": "low", "text": text, "slide_id": "slide_breast"})
    path.write_text(f"{row}\n{row}")
    held = attach(captions=read_expert_captions(path), linker=linker, graph=graph)
    assert held.pop("!") == "not_visible not_visible not_visible unknown_concept"
    assert held == {"architecture": "solid", "diagnosis": "breast_medullary_carcinoma"}


def test_captions_and_reports_that_name_nothing_of_the_run_are_told_once(
    tmp_path: Path, places: Places, slide: Slide
) -> None:
    path = tmp_path / "captions.jsonl"
    known = [{"field_id": "field_1"}, {"tile_id": "mid"}, {"slide_id": "slide_breast", "field_id": "old"}]
    known += [{"slide_id": "a.svs"}]
    lost = [{"field_id": "old"}, {"tile_id": "old"}, {"slide_id": "old", "field_id": "field_1"}]
    path.write_text("\n".join(json.dumps({"scale": "mid", "text": "Mucin."} | place) for place in known + lost))
    reports = [
        Report(f"report_{number}", patient, (), slide_id)
        for number, (patient, slide_id) in enumerate(
            [("p1", None), ("p1", "slide_breast"), ("p9", None), ("p9", "slide_breast"), ("p1", "b.svs")]
        )
    ]
    found = unplaced([slide], places[0], read_expert_captions(path), reports)
    assert [row.item_id for row in found] == ["old", "old", "old", "slide_breast", "b.svs"]
    assert {row.reason for row in found} == {"unknown_place"}
    assert [row.detail.partition(" ")[0] for row in found[3:]] == ["report_3", "report_4"]


@pytest.mark.parametrize(
    "row", ['{"scale": "low"}', '{"scale": "x", "text": "a"}', "{", '{"scale": "low", "text": "a"}']
)
def test_a_malformed_caption_names_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"scale": "low", "text": "a", "slide_id": "s"}\n' + row)
    with pytest.raises(FileFormatError, match=r"captions\.jsonl, line 2"):
        read_expert_captions(path)


def test_captions_in_parquet_are_those_of_json_lines(tmp_path: Path) -> None:
    rows = [{"scale": "low", "text": "solid", "tile_id": "t", "x": None}]
    rows += [{"scale": "mid", "text": "pasted\u2028here", "tile_id": "u"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert read_expert_captions(tmp_path / "a.parquet") == read_expert_captions(tmp_path / "a.jsonl")
    (tmp_path / "b.parquet").write_text("no table")
    with pytest.raises(FileFormatError, match=r"b\.parquet"):
        read_expert_captions(tmp_path / "b.parquet")
