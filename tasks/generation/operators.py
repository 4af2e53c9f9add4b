"""Perturbation operators: from a caption's draft to the exchanges of one slot that make it wrong (PathoHR).

PathoHR publishes the crossing of perturbation type and semantic role, not its operators: these are our own.
Every exchange stays within the closed vocabulary, so that the perturbed text is the caption of some other field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schemas.records import Feature
from schemas.records.generation import Operator, Role
from tasks.generation.authorship import Author
from tasks.generation.caption_styles import Draft
from tasks.generation.graded_styles import list_text
from tasks.generation.grammar import Span
from tasks.generation.view import FieldView, Tools


@dataclass(frozen=True, slots=True)
class Change:
    """One exchange.

    Attributes:
        operator: what is done.
        role: semantic role of what is exchanged.
        span: slot of the caption.
        replacement: what stands there instead.
        from_concept: concept before, None where the slot names none.
        to_concept: concept after.
        holds: features whose truth makes the changed text false.
        conflict: the concept that holds and the one that is claimed against it, None where nothing is claimed: an
            exclusion in the graph certifies the falsehood, or that both are values of one attribute.
        author: who proposed it, where it was not the rules.
    """

    operator: Operator
    role: Role
    span: Span
    replacement: str
    from_concept: str | None
    to_concept: str | None
    holds: tuple[Feature, ...]
    conflict: tuple[str, str] | None
    author: Author | None = None


def exchange(draft: Draft, view: FieldView, tools: Tools) -> Iterator[Change]:
    """Yield replace, intensify and relocate: another value of one attribute in a plain caption of one level.

    A finding outside the vocabulary that has kinds is specialised to one of them too (`rehierarchise`). The way back
    leaves a caption true, so nothing is generalised.
    """
    if draft.level == "full":
        return
    for feature in draft.features:
        role = tools.phrases.role(feature.attribute)
        if tools.values.ordered(feature.attribute):
            operator: Operator = "intensify"
            others = [concept for _, concept in tools.values.neighbours(feature.attribute, feature.value)]
        else:
            operator = "relocate" if role == "relation" else "replace"
            others = tools.others(feature, view)
        span = draft.rendered.span(feature.attribute)
        for concept in others:
            said = tools.say(concept, draft.surface)
            pair = (feature.concept_id, concept)
            yield Change(operator, role, span, said, *pair, (feature,), pair)
        for concept in tools.narrower(feature, view):
            pair = (feature.concept_id, concept)
            yield Change("rehierarchise", "order", span, tools.say(concept, draft.surface), *pair, (feature,), pair)


def swap(draft: Draft, _view: FieldView, tools: Tools) -> Iterator[Change]:
    """Yield the exchange of `X rather than Y` for `Y rather than X`."""
    feature = draft.features[0]
    role: Role = "entity" if tools.phrases.role(feature.attribute) == "entity" else "descriptor"
    pair = (feature.concept_id, draft.other or "")
    yield Change("swap", role, draft.rendered.span("pair"), draft.swaps["pair"], *pair, (feature,), pair)


def negate(draft: Draft, _view: FieldView, tools: Tools) -> Iterator[Change]:
    """Yield the opposite polarity of what is said to be present or absent."""
    feature = draft.features[0]
    role: Role = "entity" if tools.phrases.role(feature.attribute) == "entity" else "descriptor"
    yield _turned("negate", role, draft, feature)


def turn_relation(draft: Draft, _view: FieldView, _tools: Tools) -> Iterator[Change]:
    """Yield the opposite relation between architecture and diagnosis."""
    yield _turned("replace", "relation", draft, draft.features[0])


def _turned(operator: Operator, role: Role, draft: Draft, feature: Feature) -> Change:
    denied = draft.other != feature.concept_id  # the caption denies another value; the change asserts it
    conflict = (feature.concept_id, draft.other or "") if denied else None
    span = draft.rendered.span("polarity")
    return Change(operator, role, span, draft.swaps["polarity"], draft.other, draft.other, (feature,), conflict)


def complete_list(draft: Draft, view: FieldView, tools: Tools) -> Iterator[Change]:
    """Yield omit and insert: one finding less or more in a list that claims to be complete of two attributes."""
    span = draft.rendered.span("list")
    for feature in draft.features:
        held = feature.concept_id in draft.asserted
        if held:
            rest = [concept for concept in draft.asserted if concept != feature.concept_id]
            said = list_text(rest, tools, draft.surface)
            yield Change("omit", "entity", span, said, feature.concept_id, None, (feature,), None)
            continue
        values = tools.values.of(feature.attribute, view.field.organ)
        increased = [curie for name, curie in values.items() if tools.values.increased(feature.attribute, name)]
        for concept in increased:
            longer = [
                concept if item is feature else item.concept_id
                for item in draft.features
                if item is feature or item.concept_id in draft.asserted
            ]
            said = list_text(longer, tools, draft.surface)
            yield Change("insert", "entity", span, said, None, concept, (feature,), (feature.concept_id, concept))


def rescale(draft: Draft, _view: FieldView, _tools: Tools) -> Iterator[Change]:
    """Yield the increase attached to the wrong one of two scales."""
    span = draft.rendered.span("place")
    concepts = (draft.features[0].concept_id, draft.features[1].concept_id)
    yield Change("rescale", "relation", span, draft.swaps["place"], *concepts, draft.features, None)


def rehierarchise(draft: Draft, _view: FieldView, _tools: Tools) -> Iterator[Change]:
    """Yield the reversed order of two findings ranked by abnormality."""
    span = draft.rendered.span("order")
    concepts = (draft.features[0].concept_id, draft.features[1].concept_id)
    yield Change("rehierarchise", "order", span, draft.swaps["order"], *concepts, draft.features, None)


OPERATORS: dict[str, Callable[[Draft, FieldView, Tools], Iterator[Change]]] = {
    "plain": exchange,
    "contrast": swap,
    "presence": negate,
    "sought": negate,
    "complete": complete_list,
    "relation": turn_relation,
    "where": rescale,
    "ranking": rehierarchise,
}
"""Operators by the style of caption that they change."""
