"""Counterbalanced questions over the fields of several patients."""

from __future__ import annotations

import collections
import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.graph import Graph
from kg.vocabulary import Vocabulary
from schemas.errors import ConfigError
from schemas.records import Field, Question, Rejection
from schemas.records.generation import DIMENSIONS, Dimension
from tasks.generation.config import GenerationConfig
from tasks.generation.question_plan import load_plan, templates_for
from tasks.generation.questions import generate_questions
from tasks.store import ShardStore, ShardWriter
from tests.generation.balanced import SPLITS, unequal

GOLDEN = Path(__file__).parent / "golden" / "questions.json"
SampleFields = Callable[..., list[Field]]
ONE_SCALE = {"localization"}


@pytest.fixture(scope="module")
def asked(sample_fields: SampleFields, ask: Callable[..., Any]) -> tuple[list[Question], list[Field]]:
    fields = sample_fields()
    return ask(fields)[0], fields


@settings(max_examples=10)
@given(seed=st.integers(0, 500), skew=st.floats(0, 0.8), each=st.integers(5, 60), dimension=st.sampled_from(DIMENSIONS))
def test_every_option_is_the_key_equally_often_whatever_the_data(
    seed: int, skew: float, each: int, dimension: Dimension, sample_fields: SampleFields, ask: Callable[..., Any]
) -> None:
    rows, _ = ask(sample_fields(each=each, seed=seed, skew=skew), seed=seed, dimensions=[dimension])
    assert not unequal(rows, "split", "option_set_id")
    assert not unequal(rows, "split", "option_set_id", "options")
    balanced = [row for row in rows if row.option_set_id]
    positions = collections.Counter(row.answer_index for row in balanced)
    assert len(set(positions.values())) <= 1


def test_balance_holds_within_every_patient_where_patients_have_all_values(asked: tuple[list[Question], Any]) -> None:
    assert not unequal(asked[0], "option_set_id", "patient_id", "options")


def test_all_dimensions_and_both_kinds_of_template_are_asked(asked: tuple[list[Question], Any]) -> None:
    for dimension in DIMENSIONS:
        kinds = {row.template_kind for row in asked[0] if row.dimension == dimension}
        assert kinds == {"fixed", "free"}, dimension
    names = {row.template for row in asked[0]}
    assert names == {template.name for template in load_plan().templates if template.generator is None}


def test_options_are_distinct_and_of_similar_length(asked: tuple[list[Question], Any]) -> None:
    for row in asked[0]:
        assert len(set(row.options)) == len(set(row.option_concepts)) == 4
        lengths = [len(option) for option in row.options]
        assert max(lengths) <= 1.2 * min(lengths)


def test_options_are_plausible_values_of_the_same_category_and_scale(
    asked: tuple[list[Question], Any], graph: Graph
) -> None:
    for question in asked[0]:
        for concepts in zip(*(said.split("+") for said in question.option_concepts), strict=True):
            nodes = [graph.nodes[concept] for concept in concepts]
            assert len({(node.category, node.visible_scale) for node in nodes}) == 1


def test_the_key_is_the_only_option_that_the_features_make_true(asked: tuple[list[Question], list[Field]]) -> None:
    shown = {field.field_id: {f.concept_id for f in field.features} for field in asked[1]}
    for row in asked[0]:
        true = [i for i, concepts in enumerate(row.option_concepts) if set(concepts.split("+")) <= shown[row.field_id]]
        assert true == [row.answer_index]


def test_evidence_stands_for_every_scale_that_a_question_needs(asked: tuple[list[Question], list[Field]]) -> None:
    scale_of = {f.feature_id: f.scale for field in asked[1] for f in field.features}
    concept_of = {f.feature_id: f.concept_id for field in asked[1] for f in field.features}
    for row in asked[0]:
        assert {scale_of[feature_id] for feature_id in row.evidence_ids} == set(row.scales)
        key = row.option_concepts[row.answer_index]
        assert {concept_of[feature_id] for feature_id in row.evidence_ids} == set(key.split("+"))
        assert len(row.scales) == 3 if row.dimension == "diagnosis" else len(row.scales) >= 1
        assert len(row.scales) >= 2 or row.dimension in ONE_SCALE


def test_no_rationale_names_a_letter_or_a_position(asked: tuple[list[Question], Any]) -> None:
    import re

    for text in {row.rationale for row in asked[0]}:
        assert not re.search(
            r"\b(option|answer|choice)\b|\b[A-D]\b(?! )|\(([A-D])\)|\b(first|second|third|last)\b", text
        )


def test_no_question_text_names_what_its_field_shows_unless_its_whole_set_does(
    asked: tuple[list[Question], Any],
) -> None:
    texts: dict[str, set[str]] = collections.defaultdict(set)
    for row in asked[0]:
        if row.option_set_id:
            texts[row.option_set_id].add(row.question)
    assert all(len(questions) == 1 for questions in texts.values())


def test_all_three_verdicts_of_one_scale_on_another_occur(asked: tuple[list[Question], Any]) -> None:
    said = {
        verdict
        for row in asked[0]
        for option in row.options
        for verdict in load_plan().verdicts.values()
        if verdict in option
    }
    assert said == set(load_plan().verdicts.values())


def test_composite_questions_are_few_and_belong_to_no_set(asked: tuple[list[Question], Any]) -> None:
    composite = [row for row in asked[0] if row.option_set_id is None]
    assert 0 < len(composite) <= 0.15 * len(asked[0])
    assert len({row.answer_index for row in composite}) == 4


def test_ids_are_unique_and_a_field_is_asked_no_more_than_allowed(
    sample_fields: SampleFields, ask: Callable[..., Any]
) -> None:
    rows, _ = ask(sample_fields(each=30), questions_per_field=3, per_item_share=0, dimensions=["explanation"])
    assert len({row.question_id for row in rows}) == len(rows)
    per_field = collections.Counter((row.field_id, row.dimension) for row in rows)
    assert max(per_field.values()) == 3
    repeated = collections.Counter((row.field_id, row.option_set_id) for row in rows)
    assert max(repeated.values()) == 1


@pytest.mark.parametrize("most", [1, 2])
def test_a_patient_meets_no_more_option_sets_of_a_template_than_allowed(
    sample_fields: SampleFields, ask: Callable[..., Any], most: int
) -> None:
    rows, _ = ask(sample_fields(each=30), sets_per_template=most, per_item_share=0, dimensions=["explanation"])
    sets: dict[tuple[str, str], set[str | None]] = collections.defaultdict(set)
    for row in rows:
        sets[row.patient_id, row.template].add(row.option_set_id)
    assert max(map(len, sets.values())) == most


def test_questions_do_not_depend_on_the_order_of_fields(sample_fields: SampleFields, ask: Callable[..., Any]) -> None:
    fields = sample_fields(each=12)
    shuffled = list(fields)
    random.Random(1).shuffle(shuffled)
    first = ask(fields)
    assert first[0]
    assert first == ask(shuffled)
    few: dict[str, Any] = {"dimensions": ["localization"]}
    assert ask(fields, **few)[0] != ask(fields, seed=1, **few)[0]


def test_a_field_without_a_scale_gets_no_question_that_needs_it(
    sample_fields: SampleFields, ask: Callable[..., Any]
) -> None:
    fields = [dataclasses.replace(field, high_tile_id=None) for field in sample_fields(each=20)]
    rows, rejections = ask(fields)
    assert rows
    assert not any("high" in row.scales for row in rows)
    reasons = {(row.item_id.partition("/")[2], row.reason) for row in rejections}
    assert ("diagnosis", "missing_scale") in reasons
    assert ("explanation", "missing_scale") in reasons


def test_every_field_is_asked_or_rejected_in_every_dimension(
    sample_fields: SampleFields, graph: Graph, vocabulary: Vocabulary, store: ShardStore
) -> None:
    fields = sample_fields(each=8, skew=0.6)
    fields[0] = dataclasses.replace(fields[0], features=())

    def make(out: ShardWriter) -> None:
        generate_questions(fields, SPLITS, graph, vocabulary, GenerationConfig(), out)

    info, _ = store.ensure("questions", "k", make)
    assert info.items_in == len(fields) * 5 == info.items_out + sum(info.rejected.values())
    assert info.rejected["unbalanced"] > 0
    assert info.rejected["no_features"] >= 5
    assert store.ensure("questions", "again", make)[0].sha256 == info.sha256


def test_what_binds_to_nothing_of_the_run_is_counted_with_its_questions(
    fields: list[Field], graph: Graph, vocabulary: Vocabulary, writer: ShardWriter
) -> None:
    lost = [Rejection("old", "generation", "unknown_place", "caption")]
    generate_questions(fields, SPLITS, graph, vocabulary, GenerationConfig(), writer, unplaced=lost)
    assert writer.rejected["unknown_place"] == 1
    assert writer.items_in == len(fields) * 5 + 1 == writer.items_out + sum(writer.rejected.values())


def test_a_patient_is_asked_the_same_whoever_else_comes_or_goes(
    sample_fields: SampleFields, ask: Callable[..., Any]
) -> None:
    fields = sample_fields()
    before = [field for field in fields if field.patient_id != "p2"]
    after = [field for field in fields if field.patient_id != "p1"]
    first, second = (
        {row.question_id: row for row in ask(group)[0] if row.option_set_id and row.patient_id not in {"p1", "p2"}}
        for group in (before, after)
    )
    assert len(first) > 100
    assert first == second


def test_without_fields_there_are_no_questions(ask: Callable[..., Any]) -> None:
    assert ask([]) == ([], [])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"templates": ["sign_out", "signout"]}, "'signout', which is no question template"),
        ({"templates": ["sign_out"]}, "no counterbalanced template for the dimension correspondence"),
        ({"templates": ["composite_account"], "dimensions": ["explanation"]}, "no counterbalanced template"),
    ],
)
def test_an_unknown_or_missing_template_is_one_clear_error(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        templates_for(GenerationConfig.model_validate(config))


@pytest.mark.parametrize(
    "config", [{"dimensions": []}, {"dimensions": ["diagnosis", "diagnosis"]}, {"options": 3}, {"tempo": 1}]
)
def test_a_configuration_out_of_range_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="generation|GenerationConfig"):
        GenerationConfig.model_validate(config)


def test_one_question_of_each_template_is_the_golden_one(asked: tuple[list[Question], Any]) -> None:
    # After a change of wording that is meant, write `made` to the file and read the difference.
    made: dict[str, Any] = {}
    for row in asked[0]:
        if row.template not in made:
            made[row.template] = [row.question, *row.options, row.answer_index, row.rationale]
    assert made == json.loads(GOLDEN.read_text())
