"""Question records from an option set and the field that is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.ids import content_id
from schemas.records import Question
from tasks.generation.grammar import render
from tasks.generation.option_sets import OptionSet, slots_of
from tasks.generation.view import GENERATOR, FieldView, Tools, provenance


def question_row(
    option_set: OptionSet,
    view: FieldView,
    key: int,
    order: Sequence[int],
    split: str,
    *,
    note: tuple[tuple[str, str | int | float], ...],
    set_id: str | None,
    tools: Tools,
) -> Question:
    """Return one question: option `key` of a set is right, and the options are shown in the given order."""
    template = option_set.template
    stance = option_set.verdicts[key] if option_set.verdicts else ()
    claim = tools.say(option_set.claim) if option_set.claim else ""
    evidence = [view.present[attribute] for attribute, _, _ in option_set.states[key]]
    options = tuple(option_set.options[index] for index in order)
    return Question(
        question_id=content_id("mcq", view.field.field_id, template.name, option_set.question, options),
        field_id=view.field.field_id,
        slide_id=view.field.slide_id,
        patient_id=view.field.patient_id,
        dimension=template.dimension,
        template=template.name,
        template_kind=template.kind,
        scales=option_set.scales,
        question=option_set.question,
        options=options,
        option_concepts=tuple(option_set.concepts(index) for index in order),
        answer_index=list(order).index(key),
        rationale=render(template.rationale, slots_of(template, option_set.states[key], stance, claim, tools)),
        evidence_ids=tuple(feature.feature_id for feature in evidence),
        option_set_id=set_id,
        cell=f"{template.dimension}/{template.name}/{GENERATOR}",
        split=split,
        round=0,
        provenance=provenance(template.sha256, note),
    )
