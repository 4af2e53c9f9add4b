"""Composite questions: options of their own for each field, for what cannot be counterbalanced.

Options are a square closure (two attributes, two values each) or, of three attributes, half of the cube, so the key is
no centre of the set; but how often a value is the key is left to the data: screening has to tell whether that leaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tasks.generation.option_sets import OptionSet, Reading, worded
from tasks.generation.question_plan import QuestionTemplate
from tasks.generation.question_rows import Placement
from tasks.generation.view import FieldView, Tools


@dataclass(frozen=True, slots=True)
class Composite:
    """A question with options of the field's own, as the files word it."""

    option_set: OptionSet
    place: Placement


def composites(
    templates: Sequence[QuestionTemplate],
    views: Sequence[FieldView],
    split_of: Mapping[str, str],
    tools: Tools,
    count: int,
) -> list[Composite]:
    """Return at most `count` composite questions, at most one per field and template, spread over seeded fields."""
    found: list[Composite] = []
    for number, template in enumerate(templates):
        share = count // len(templates) + (number < count % len(templates))
        order = sorted(views, key=lambda view: tools.rank("composites", template.name, view.field.field_id))
        made = 0
        for view in order:
            if made == share:
                break
            split = split_of.get(view.field.patient_id)
            composite = _composite(template, view, split, tools) if split else None
            if composite is not None:
                found.append(composite)
                made += 1
    return found


def _composite(template: QuestionTemplate, view: FieldView, split: str, tools: Tools) -> Composite | None:
    """Return a question whose options cross the field's readings with one sibling of each.

    Of three readings the four options are those that differ from the field in none or in two of them. The first state
    is the field's own.
    """
    chance = tools.choice("composite", template.name, view.field.field_id)
    axes: list[tuple[Reading, Reading]] = []
    for axis in template.axes:
        known = [name for name in axis.names(tools.vocabulary) if name in view.present]
        if not known:
            return None
        feature = view.present[chance.choice(known)]
        others = tools.values.siblings(feature.attribute, feature.value, view.field.organ)
        if not others:
            return None
        own = (feature.attribute, feature.value, feature.concept_id)
        axes.append((own, (feature.attribute, *chance.choice(others))))
    corners = [bits for bits in product((0, 1), repeat=len(axes)) if len(axes) == 2 or sum(bits) % 2 == 0]
    states = tuple(tuple(pair[bit] for pair, bit in zip(axes, bits, strict=True)) for bits in corners)
    option_set: OptionSet | None = worded(template, states, None, None, tools)
    if option_set is None:
        return None
    order = list(range(len(states)))
    chance.shuffle(order)
    return Composite(option_set, Placement(view, 0, order, split, (("axes", "own"),), None))
