"""Question records from an option set and the field that is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.ids import content_id
from schemas.records import Question
from tasks.generation.authorship import Author
from tasks.generation.grammar import render
from tasks.generation.option_sets import OptionSet, slots_of
from tasks.generation.view import FieldView, Tools, provenance


@dataclass(frozen=True, slots=True)
class Placement:
    """The use of an option set on a field.

    Attributes:
        view: the field.
        key: option that is right.
        order: options in the order shown.
        split: train, val or test.
        note: parameters for provenance.
        set_id: the counterbalanced set, None for options of the field's own.
    """

    view: FieldView
    key: int
    order: Sequence[int]
    split: str
    note: tuple[tuple[str, str | int | float], ...]
    set_id: str | None


def question_row(
    option_set: OptionSet,
    place: Placement,
    tools: Tools,
    *,
    rationale: str | None = None,
    author: Author | None = None,
) -> Question:
    """Return one question.

    Args:
        option_set: question and options.
        place: the field, which option is right and in what order they are shown.
        tools: how readings are said.
        rationale: instead of the template's.
        author: who wrote the options, where it was not the template's author.
    """
    template, key, field = option_set.template, place.key, place.view.field
    made_by = provenance(template.sha256, place.note, author or tools.wordings.authors.get(template.name))
    options = tuple(option_set.options[index] for index in place.order)
    evidence = [place.view.present[attribute] for attribute, _, _ in option_set.states[key]]
    return Question(
        question_id=content_id("mcq", field.field_id, template.name, option_set.question, options),
        field_id=field.field_id,
        slide_id=field.slide_id,
        patient_id=field.patient_id,
        dimension=template.dimension,
        template=template.name,
        template_kind=template.kind,
        scales=option_set.scales,
        question=option_set.question,
        options=options,
        option_concepts=tuple(option_set.concepts(index) for index in place.order),
        answer_index=list(place.order).index(key),
        rationale=rationale or _rationale(option_set, key, tools),
        evidence_ids=tuple(feature.feature_id for feature in evidence),
        option_set_id=place.set_id,
        cell=f"{template.dimension}/{template.name}/{made_by.generator}",
        split=place.split,
        round=0,
        provenance=made_by,
    )


def _rationale(option_set: OptionSet, key: int, tools: Tools) -> str:
    stance = option_set.verdicts[key] if option_set.verdicts else ()
    claim = tools.say(option_set.claim) if option_set.claim else ""
    template = option_set.template
    return render(template.rationale, slots_of(template, option_set.states[key], stance, claim, tools))
