"""Per-item questions over the demo's fields, in every dimension, by two rules for wrong options.

`one change`: each wrong option differs from the right one by exactly one feature, as a published benchmark has it; the
key is then the centre of its options. `closure`: both values of one feature crossed with both of another; no option is
the centre, but how often each state is the key is left to the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal

import numpy as np

from kg.vocabulary import load_vocabulary
from schemas.ids import content_id
from schemas.records import Feature, Field, Provenance, Question
from schemas.records.generation import Dimension

Rule = Literal["one change", "closure"]
AXES: dict[Dimension, tuple[str, str, str]] = {
    "correspondence": ("architecture", "mitoses", "nucleoli"),
    "confirmation": ("stroma", "nuclear_size", "grade"),
    "localization": ("inflammation_site", "stroma", "inflammation"),
    "explanation": ("stroma", "pleomorphism", "nucleoli"),
    "diagnosis": ("diagnosis", "stroma", "grade"),
}
State = tuple[Feature, ...]


def _others(feature: Feature, organ: str | None, fields: Sequence[Field]) -> list[Feature]:
    """Return the other values that an attribute has in fields of the organ."""
    seen = {f.value: f for field in fields if field.organ == organ for f in field.features}
    return sorted(
        (f for value, f in seen.items() if f.attribute == feature.attribute and value != feature.value),
        key=lambda f: f.value,
    )


def _states(own: State, others: Sequence[Sequence[Feature]], rule: Rule, rng: np.random.Generator) -> list[State]:
    """Return four states, the field's own first."""
    changed = [choices[int(rng.integers(len(choices)))] for choices in others]
    if rule == "closure":
        crossed = product((own[0], changed[0]), (own[1], changed[1]))
        return [(first, second, own[2]) for first, second in crossed]
    return [own, *(tuple(changed[i] if i == place else own[i] for i in range(3)) for place in range(3))]


def _text(state: State) -> str:
    values = load_vocabulary().attributes
    words = [f.value.replace("_", " ") + (f" {f.attribute.replace('_', ' ')}" * (f.attribute in values)) for f in state]
    return f"{words[0]} with {words[1]} and {words[2]}"


def per_item_questions(fields: Sequence[Field], dimension: Dimension, rule: Rule, seed: int = 0) -> list[Question]:
    """Return one question per field that shows all three features of a dimension."""
    questions = []
    asked = {(field.organ, f.attribute, f.value): f for field in fields for f in field.features}
    others = {key: _others(f, key[0], fields) for key, f in asked.items() if f.attribute in AXES[dimension]}
    for number, field in enumerate(sorted(fields, key=lambda field: field.field_id)):
        shown = {feature.attribute: feature for feature in field.features}
        own = tuple(shown[name] for name in AXES[dimension] if name in shown)
        choices = [others[field.organ, f.attribute, f.value] for f in own]
        if len(own) < 3 or not all(choices):
            continue
        rng = np.random.default_rng([seed, number])
        states = _states(own, choices, rule, rng)
        order = rng.permutation(4).tolist()
        options = tuple(_text(states[place]) for place in order)
        questions.append(
            Question(
                question_id=content_id("mcq", field.field_id, dimension, rule, options),
                field_id=field.field_id,
                slide_id=field.slide_id,
                patient_id=field.patient_id,
                dimension=dimension,
                template="account",
                template_kind="free",
                scales=("low", "mid", "high"),
                question="Which account of this field is the right one?",
                options=options,
                option_concepts=tuple("+".join(f.concept_id for f in states[place]) for place in order),
                answer_index=order.index(0),
                rationale=f"The field shows {_text(own)}.",
                evidence_ids=tuple(f.feature_id for f in own),
                option_set_id=None,
                cell=f"{dimension}/account/rules",
                split="train",
                round=0,
                provenance=Provenance("rules"),
            )
        )
    return questions
