"""Negatives that an endpoint proposes are other findings, which the field neither shows nor may show."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from kg.link import Linker
from schemas.records import Feature, Field
from schemas.records.shared import Status
from tasks.generation.prompting import prompt_sha256
from tasks.generation.proposals import Replacement
from tasks.generation.view import FieldView, Tools
from tests.generation.scripted_run import Start

pytest.importorskip("openai", reason="the extra [llm] is not installed")
MakeField = Callable[..., Field]
SampleFields = Callable[..., list[Field]]


def test_proposed_negatives_come_on_top_and_are_other_concepts_of_the_same_kind(
    start: Start, fields: list[Field]
) -> None:
    with start() as run:
        more = run.texts(fields).perturbations
    with start(proposed_negatives=0) as run:
        fewer = run.texts(fields).perturbations
    proposed = [row for row in more if row.provenance.prompt_sha256 == prompt_sha256("negatives")]
    assert len(proposed) > 0
    assert {row.perturbation_id for row in fewer} >= {row.perturbation_id for row in more if row not in proposed}
    nodes = run.tools.graph.nodes
    for row in proposed:
        assert row.from_concept != row.to_concept
        assert nodes[row.from_concept or ""].category == nodes[row.to_concept or ""].category


@pytest.mark.parametrize(
    "term",
    ["rubbish", "solid architecture", "no necrosis", "pT3", "geographic necrosis and mitoses", "lymph node metastasis"],
)
def test_a_proposal_that_is_no_other_visible_finding_cannot_be_used(
    tools: Tools, linker: Linker, make_field: MakeField, term: str
) -> None:
    feature = FieldView(make_field(architecture="solid")).present["architecture"]
    check = Replacement(feature, "solid architecture", tools, linker)
    assert check.fault("geographic necrosis") is None
    assert check.fault(term) is not None


def _open(concept: str, polarity: Status = "present") -> Feature:
    name = f"finding/{concept.partition(':')[2]}"
    return Feature(f"feat_{concept}", "mid", name, "present", concept, polarity, source="caption")


def test_what_may_be_true_of_the_field_is_refused_whether_shown_left_open_wider_or_narrower(
    start: Start, make_field: MakeField
) -> None:
    shown = (_open("SSG:keratin_pearls"), _open("SSG:lymphovascular_invasion", "uncertain"))
    field = make_field("one", stroma="myxoid")
    field = dataclasses.replace(field, features=(*field.features, *shown))
    true = ["keratinization", "lymphovascular invasion", "lymphatic invasion"]
    said = {"replacements": [*true, "comedo necrosis"]}
    with start(lambda form, answer: said if form == "Replacements" else answer, proposed_negatives=4) as run:
        texts = run.texts([field])
    proposed = [row for row in texts.perturbations if row.provenance.prompt_sha256 == prompt_sha256("negatives")]
    assert {row.to_concept for row in proposed} == {"SSG:comedo_necrosis"}
    refused = {row.detail for row in texts.rejections if row.reason == "not_certified"}
    assert refused >= {f"proposal {term!r}: the field shows it, or may" for term in true[1:]}


def test_a_finding_is_not_specialised_to_a_kind_whose_own_kind_is_seen(tools: Tools, make_field: MakeField) -> None:
    wide, seen = _open("SSG:squamous_differentiation"), _open("SSG:keratin_pearls", "uncertain")
    alone = dataclasses.replace(make_field("one"), features=(wide,))
    beside = dataclasses.replace(alone, features=(wide, seen))
    assert tools.narrower(wide, FieldView(alone)) == ["SSG:keratinization"]
    assert tools.narrower(wide, FieldView(beside)) == []
