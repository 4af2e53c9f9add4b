"""Captions on attributes that have an order: which are increased, at which scale, and which of two the more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schemas.records import Feature
from schemas.records.generation import CaptionLevel
from schemas.records.shared import SCALES
from tasks.generation.caption_styles import SCALE_OF_LEVEL, Draft, texts_of, word
from tasks.generation.grammar import mark, render, strip_marks
from tasks.generation.view import FieldView, Tools


def graded(view: FieldView, tools: Tools, level: CaptionLevel | None = None) -> list[Feature]:
    """Return the features whose attribute has an order, of one level or of those seen at a scale."""
    levels = (level,) if level else tuple(SCALE_OF_LEVEL)
    return [
        feature
        for feature in view.present.values()
        if tools.values.ordered(feature.attribute) and tools.level(feature) in levels
    ]


def list_text(concepts: list[str], tools: Tools, surface: int) -> str:
    """Return the findings of a complete list as text."""
    return "; ".join(tools.say(concept, surface) for concept in concepts) or word("none")


def complete(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield which of two attributes are increased, as a complete list that an omission or insertion makes false."""
    for level, scale in SCALE_OF_LEVEL.items():
        known = graded(view, tools, level)
        texts = texts_of("complete", level, tools)
        if texts and len(known) > 1:
            chance = tools.choice(view.field.field_id, "complete", level)
            surface = chance.randrange(min(tools.config.phrasings, len(texts)))
            asked = [known[index] for index in sorted(chance.sample(range(len(known)), 2))]
            listed = [item.concept_id for item in asked if tools.values.increased(item.attribute, item.value)]
            text = mark("list", list_text(listed, tools, surface))
            rendered = strip_marks(render(texts[surface], {"nouns": _nouns(asked, tools), "list": text}))
            yield Draft("complete", level, scale, texts[surface], surface, rendered, tuple(asked), tuple(listed))


def _nouns(pair: Sequence[Feature], tools: Tools) -> str:
    first, second = (tools.phrases.noun(feature.attribute) for feature in pair)
    return render(word("nouns"), {"first": first, "second": second})


def _unequal(view: FieldView, tools: Tools, *, across: bool, purpose: str) -> tuple[Feature, Feature] | None:
    """Return an increased and a not increased feature, of two scales or of any."""
    known = graded(view, tools)
    up = [item for item in known if tools.values.increased(item.attribute, item.value)]
    pairs = [(high, low) for high in up for low in known if low not in up and (not across or high.scale != low.scale)]
    return tools.choice(view.field.field_id, purpose).choice(pairs) if pairs else None


def where(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield at which of two scales the increase is seen."""
    pair = _unequal(view, tools, across=True, purpose="where")
    if pair:
        up, other = pair
        ordered = sorted(pair, key=lambda item: (SCALES.index(item.scale), item.attribute))
        slots = {"nouns": _nouns(ordered, tools), "place": mark("place", up.scale)}
        yield _compared("where", pair, slots, {"place": other.scale}, view=view, tools=tools)


def ranking(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield two findings in order of their abnormality."""
    pair = _unequal(view, tools, across=False, purpose="ranking")
    if pair:
        first, second = (tools.phrases.noun(item.attribute) for item in pair)
        order = render(word("order"), {"first": first, "second": second})
        turned = render(word("order"), {"first": second, "second": first})
        yield _compared("ranking", pair, {"order": mark("order", order)}, {"order": turned}, view=view, tools=tools)


def _compared(
    style: str,
    pair: tuple[Feature, Feature],
    slots: Mapping[str, str],
    swaps: Mapping[str, str],
    *,
    view: FieldView,
    tools: Tools,
) -> Draft:
    texts = texts_of(style, "impression", tools)
    surface = tools.choice(view.field.field_id, style, "surface").randrange(min(tools.config.phrasings, len(texts)))
    return Draft(
        style=style,
        level="impression",
        scale=None,
        source=texts[surface],
        surface=surface,
        rendered=strip_marks(render(texts[surface], slots)),
        features=pair,
        asserted=(pair[0].concept_id,),
        other=pair[1].concept_id,
        swaps=swaps,
    )
