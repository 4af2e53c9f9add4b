"""Reasoning samples and the filters that they must pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Field, Provenance, Reasoning, ReasoningStep, Rejection
from tasks.generation.reasoning import reason
from tasks.generation.reasoning_filters import FILTERS, only_visible, refuse, refused_by
from tasks.generation.reports import read_reports
from tasks.generation.view import FieldView, Tools

VALUES = {
    "architecture": "solid",
    "inflammation": "dense",
    "stroma": "myxoid",
    "nucleoli": "prominent",
    "mitoses": "frequent",
    "grade": "high",
}


@pytest.fixture
def case(make_field: Callable[..., Field], tools: Tools) -> tuple[Reasoning, FieldView]:
    view = FieldView(make_field(**VALUES))
    sample, refused = reason(view, tools)
    assert refused is None
    assert sample is not None
    return sample, view


def test_a_sample_goes_from_findings_over_cited_edges_to_the_diagnosis(
    case: tuple[Reasoning, FieldView], tools: Tools
) -> None:
    sample, view = case
    assert sample.answer == "medullary carcinoma of the breast"
    assert "solid architecture" in sample.observe
    assert "prominent nucleoli" in sample.observe
    for step in sample.think:
        edge = tools.graph.by_id[step.edge_id or ""]
        assert {edge.subject, edge.object} == set(step.concept_ids)
        assert step.edge_source == edge.primary_knowledge_source
        assert step.edge_id in sample.kg_path
    reached = {concept for step in sample.think for concept in step.concept_ids}
    assert "SSG:breast_medullary_carcinoma" in reached
    assert len(sample.concept_ids) == len(sample.concept_status)
    assert {f.concept_id for f in view.field.features} <= set(sample.concept_ids)


def test_a_ruled_out_diagnosis_is_absent(case: tuple[Reasoning, FieldView]) -> None:
    sample, _ = case
    status = dict(zip(sample.concept_ids, sample.concept_status, strict=True))
    denied = [concept for concept, value in status.items() if value == "absent"]
    assert len(denied) == 1
    assert denied[0].startswith("SSG:breast_")
    assert status["SSG:breast_medullary_carcinoma"] == "present"


def test_no_path_passes_through_what_the_field_excludes(make_field: Callable[..., Field], tools: Tools) -> None:
    field = make_field(**(VALUES | {"architecture": "cribriform", "nucleoli": "inconspicuous"}))
    sample, _ = reason(FieldView(field), tools)
    assert sample is not None
    assert "SSG:low_nuclear_grade" not in sample.concept_ids


def test_a_field_without_a_diagnosis_gives_neither_sample_nor_rejection(
    make_field: Callable[..., Field], tools: Tools
) -> None:
    assert reason(FieldView(make_field(architecture="stroma")), tools) == (None, None)


def test_a_diagnosis_that_no_path_reaches_is_rejected(make_field: Callable[..., Field], tools: Tools) -> None:
    field = make_field(architecture="solid")
    alone = dataclasses.replace(field, features=tuple(f for f in field.features if f.attribute == "diagnosis"))
    sample, rejection = reason(FieldView(alone), tools)
    assert sample is None
    assert rejection is not None
    assert rejection.reason == "no_path"


def _broken(sample: Reasoning, tools: Tools) -> dict[str, tuple[str, Any]]:
    """What each filter must find: name -> (reason, sample with that one fault)."""
    edges = [edge for edge in tools.graph.edges if edge.modality == "excludes"]
    against = next(e for e in edges if "SSG:breast_medullary_carcinoma" in {e.subject, e.object})
    excluding = ReasoningStep("It cannot be.", against.edge_id, "s", (against.subject, against.object))
    provided = ReasoningStep("This agrees with the provided answer.", None, None)
    flipped = tuple("absent" if i == 0 else status for i, status in enumerate(sample.concept_status))
    replace = dataclasses.replace
    more = sample.concept_ids
    return {
        "another answer": ("answer_contradicts_thinking", replace(sample, answer="tubular carcinoma of the breast")),
        "an answer not reached": ("answer_contradicts_thinking", replace(sample, think=sample.think[:0])),
        "an excluding step": ("answer_contradicts_thinking", replace(sample, think=(*sample.think, excluding))),
        "a flipped polarity": ("answer_contradicts_thinking", replace(sample, concept_status=flipped)),
        "an excluded concept": (
            "answer_contradicts_thinking",
            replace(
                sample,
                kg_path=(*sample.kg_path, *(e.edge_id for e in edges if e.object == "SSG:high_nuclear_grade")),
                concept_ids=(*more, "SSG:low_nuclear_grade"),
                concept_status=(*sample.concept_status, "present"),
            ),
        ),
        "an unknown edge": ("asserts_unsupported_concept", replace(sample, kg_path=("edge_none",))),
        "an unsupported concept": (
            "asserts_unsupported_concept",
            replace(
                sample, concept_ids=(*more, "SSG:keratin_pearls"), concept_status=(*sample.concept_status, "present")
            ),
        ),
        "counted nodes": ("claims_invisible_finding", replace(sample, observe="Nodes: 0/12 lymph nodes involved.")),
        "a stage": ("claims_invisible_finding", replace(sample, observe=sample.observe + " This is pT2a pN0.")),
        "talk of the answer": ("mentions_provided_answer", replace(sample, think=(*sample.think, provided))),
        "the answer in the prompt": ("solvable_from_text", replace(sample, prompt=f"Is it {sample.answer}?")),
        "a finding in the prompt": ("solvable_from_text", replace(sample, prompt="What has Solid architecture?")),
    }


def test_each_fault_is_found_and_named(case: tuple[Reasoning, FieldView], tools: Tools) -> None:
    sample, view = case
    assert refuse(sample, view, tools) is None
    assert refuse(dataclasses.replace(sample, answer=f"{sample.answer.capitalize()}."), view, tools) is None
    for name, (reason_wanted, broken) in _broken(sample, tools).items():
        found = refuse(broken, view, tools)
        assert found is not None, name
        assert found[0] == reason_wanted, (name, found)
        assert found[1].partition(":")[0] in {check.__name__ for check in FILTERS}


@pytest.mark.parametrize(
    ("subject", "concept", "status"),
    [
        ("SSG:breast_medullary_carcinoma", "SSG:lymphoid_tissue", "present"),
        ("SSG:breast_carcinoma", "SSG:her2", "absent"),
    ],
)
def test_what_a_cited_path_arrives_at_may_be_said_and_what_no_slide_shows_may_be_denied(
    case: tuple[Reasoning, FieldView], tools: Tools, subject: str, concept: str, status: Any
) -> None:
    sample, view = case
    edge = next(edge for edge in tools.graph.edges if (edge.subject, edge.object) == (subject, concept))
    more = dataclasses.replace(
        sample,
        kg_path=(*sample.kg_path, edge.edge_id),
        concept_ids=(*sample.concept_ids, concept),
        concept_status=(*sample.concept_status, status),
    )
    assert refuse(more, view, tools) is None


def test_what_was_refused_is_counted_by_filter(case: tuple[Reasoning, FieldView], tools: Tools) -> None:
    sample, view = case
    faults = [refuse(broken, view, tools) for _, broken in _broken(sample, tools).values()]
    rows = [Rejection("reason_1", "generation", *fault) for fault in faults if fault]
    counts = refused_by([*rows, Rejection("cap_1", "generation", "near_duplicate", "full: twice")])
    assert list(counts) == [check.__name__ for check in FILTERS]
    assert sum(counts.values()) == len(rows) == len(faults)
    assert counts["only_visible"] == 2


def test_findings_that_lead_the_same_way_share_its_steps(case: tuple[Reasoning, FieldView]) -> None:
    steps = [(step.edge_id, step.concept_ids) for step in case[0].think]
    assert len(set(steps)) == len(steps) > 1


def test_an_invasive_margin_is_seen_and_a_margin_of_the_specimen_is_not(
    case: tuple[Reasoning, FieldView], tools: Tools
) -> None:
    sample, view = case
    seen = dataclasses.replace(sample, observe="Low magnification: a pushing margin, an invasive margin.")
    assert not list(only_visible(seen, view, tools))
    assert list(only_visible(dataclasses.replace(sample, observe="The margin is free."), view, tools))


@pytest.mark.slide
def test_every_published_pathreasoner_sample_observes_what_no_slide_shows(shared: Path, tools: Tools) -> None:
    reports, _ = read_reports({"text/pathreasoner_diagnosis_example.json": "p"}, shared)
    for report in reports:
        said = {section.title: section.text for section in report.sections}
        think = (ReasoningStep(said["reasoning"], None, None),)
        where = ("reason_1", "field_1", "slide_1", "p1", "prompt")
        sample = Reasoning(*where, said["findings"], think, said["diagnosis"], (), (), (), Provenance("rules"))
        view = FieldView(Field("field_1", "slide_1", "p1", 0, 0, None, None, None))
        assert [reason for reason, _ in only_visible(sample, view, tools)] == ["claims_invisible_finding"]


def test_every_filter_finds_something_that_no_other_filter_finds(
    case: tuple[Reasoning, FieldView], tools: Tools
) -> None:
    sample, view = case
    needed = set()
    for _, broken in _broken(sample, tools).values():
        found = [check for check in FILTERS if next(iter(check(broken, view, tools)), None)]
        if len(found) == 1:
            needed.add(found[0])
    assert needed == set(FILTERS)
