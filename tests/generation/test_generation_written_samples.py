"""Questions and reasoning samples in a model's words: with a fault they are rejected by its name."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from schemas.records import Field, Reasoning, Rejection
from tasks.generation.composites import composites
from tasks.generation.free_form import write_free_form
from tasks.generation.question_plan import QuestionTemplate, load_plan
from tasks.generation.reasoning import reason as reason_by_rules
from tasks.generation.view import FieldView
from tasks.generation.written_reasoning import write_reasoning
from tests.generation.scripted_run import Run, Start

pytest.importorskip("openai", reason="the extra [llm] is not installed")
MakeField = Callable[..., Field]
SampleFields = Callable[..., list[Field]]


TRAIN = {"p1": "train"}


def composite() -> QuestionTemplate:
    return next(template for template in load_plan().templates if template.build == "composite")


def reasoned(run: Run, fields: list[Field]) -> tuple[list[Reasoning], list[Rejection]]:
    samples = [(view, sample) for view in map(FieldView, fields) if (sample := reason_by_rules(view, run.tools)[0])]
    return write_reasoning(run.endpoint, run.writer.claims(run.tools), samples, run.tools)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda said: {**said, "steps": said["steps"][:-1]}, "malformed_answer"),
        (lambda said: {**said, "steps": [*said["steps"][:-1], "Nothing else fits."]}, "malformed_answer"),
        (lambda said: {**said, "observe": said["observe"].replace("low nuclear", "high nuclear")}, "malformed_answer"),
        (
            lambda said: {**said, "observe": said["observe"] + " The provided diagnosis fits."},
            "mentions_provided_answer",
        ),
        (lambda said: {**said, "observe": said["observe"] + " Margins are free."}, "claims_invisible_finding"),
    ],
)
def test_reasoning_with_a_fault_is_rejected_by_name(
    start: Start, fields: list[Field], change: Callable[[dict[str, Any]], dict[str, Any]], reason: str
) -> None:
    with start(lambda form, said: change(said) if form == "Reasoned" else said) as run:
        kept, rejections = reasoned(run, fields[:1])
    assert kept == []
    assert [row.reason for row in rejections] == [reason]


def test_the_judge_scores_every_sample_and_keeps_poor_ones_out(start: Start, fields: list[Field]) -> None:
    with start(judge_min_score=4) as run:
        kept, rejections = reasoned(run, fields)
    assert [json.loads(row.provenance.parameters)["judge"] for row in kept] == [4, 4]
    assert rejections == []
    poor = {"faithful": 5, "logical": 2, "fault": "a leap"}
    with start(lambda form, said: poor if form == "Judgement" else said, "strict", judge_min_score=3) as run:
        kept, rejections = reasoned(run, fields)
    assert kept == []
    assert [(row.reason, row.detail) for row in rejections] == [("judged_poor", "score 2 of 5: a leap")] * 2


def test_free_templates_are_worded_once_and_every_key_is_the_one_option_that_the_field_makes_true(
    start: Start, sample_fields: SampleFields
) -> None:
    fields = sample_fields(patients=2, each=28)
    with start() as run:
        rows, left = run.questions(fields)
        claims = run.writer.claims(run.tools)
    assert not [row for row in left if row.reason == "malformed_answer"]
    sets: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for row in rows:
        if row.option_set_id:
            assert row.cell.endswith("/openai" if row.template_kind == "free" else "/rules")
            sets[row.option_set_id, *row.options][row.answer_index] += 1
    assert all(len(keys) == 4 and len(set(keys.values())) == 1 for keys in sets.values())
    free = {row.template for row in rows if row.template_kind == "free" and row.option_set_id}
    assert run.asked()["QuestionWording"] == len(free)
    shown = {field.field_id: {feature.concept_id for feature in field.features} for field in fields}
    own = [row for row in rows if row.option_set_id is None]
    assert len(own) > 10
    assert {row.provenance.generator for row in own} == {"openai"}
    for row in own:
        true = [index for index, option in enumerate(row.options) if set(claims.of(option)) <= shown[row.field_id]]
        assert true == [row.answer_index]
        assert set(claims.of(row.rationale)) <= shown[row.field_id]
    assert len({row.answer_index for row in own}) == 4
    assert {row.dimension for row in own} == {"correspondence", "localization", "explanation", "diagnosis"}


def test_the_writer_of_free_form_options_never_learns_the_key(start: Start, make_field: MakeField) -> None:
    pairs = [(size, mitoses) for size in ("dense", "sparse") for mitoses in ("rare", "frequent")]
    fields = [make_field(f"f{n}", inflammation=size, mitoses=mitoses) for n, (size, mitoses) in enumerate(pairs)]
    with start() as run:
        own = composites([composite()], [FieldView(field) for field in fields], TRAIN, run.tools, 4)
        rows, _ = write_free_form(run.endpoint, run.writer.claims(run.tools), own, run.tools)
    assert len(rows) == 4
    assert len({tuple(sorted(row.options)) for row in rows}) == 1
    assert len({row.options[row.answer_index] for row in rows}) == 4
    assert run.asked()["FreeForm"] == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda said: {**said, "options": said["options"][:3]},
        lambda said: {**said, "options": [said["options"][0] * 2, *said["options"][1:]]},
        lambda said: {**said, "options": [said["options"][1], said["options"][0], *said["options"][2:]]},
        lambda said: {**said, "question": "Is there dense chronic inflammation?"},
        lambda said: {**said, "rationales": [text + " So B." for text in said["rationales"]]},
    ],
)
def test_a_free_form_question_with_a_fault_is_rejected(
    start: Start, make_field: MakeField, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    with start(lambda _form, said: change(said)) as run:
        view = FieldView(make_field(inflammation="dense", mitoses="rare"))
        own = composites([composite()], [view], TRAIN, run.tools, 1)
        rows, left = write_free_form(run.endpoint, run.writer.claims(run.tools), own, run.tools)
    assert rows == []
    assert [row.reason for row in left] == ["malformed_answer"]
