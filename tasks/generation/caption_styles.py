"""What each style of caption says of a field: drafts with the place of every slot (templates/captions.yaml)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from schemas.ids import digest
from schemas.records import Feature
from schemas.records.generation import CaptionLevel
from schemas.records.shared import SCALES, Scale
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.grammar import Rendered, enumerate_words, mark, render, strip_marks
from tasks.generation.phrases import read_yaml
from tasks.generation.view import FieldView, Tools

LEVELS: tuple[CaptionLevel, ...] = ("site", "architecture", "compartment", "cytology", "impression")
SCALE_OF_LEVEL: dict[CaptionLevel, Scale] = {"architecture": "low", "compartment": "mid", "cytology": "high"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A caption in the making.

    Attributes:
        style: style of templates/captions.yaml.
        level: level of the hierarchy.
        scale: scale of the tile described, None for the whole field.
        source: the template, for provenance.
        rendered: text with its slots.
        features: features that it states or denies.
        asserted: CURIEs that it asserts.
        other: CURIE that the style sets against the field's own value, where it does.
        swaps: slot -> text that would say the opposite.
    """

    style: str
    level: CaptionLevel
    scale: Scale | None
    source: str
    surface: int
    rendered: Rendered
    features: tuple[Feature, ...]
    asserted: tuple[str, ...]
    other: str | None = None
    swaps: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def _texts(style: str, level: CaptionLevel) -> tuple[str, ...]:
    return tuple(read_yaml("captions.yaml")["styles"][style].get(level, ()))


def _word(name: str) -> str:
    text: str = read_yaml("captions.yaml")["words"][name]
    return text


@functools.cache
def source_sha256(source: str) -> str:
    """Return the digest of a template's text."""
    return digest(source)


def plain(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield every level in every phrasing, then the full text that goes through all levels in order."""
    for surface in range(tools.config.phrasings):
        parts = [draft for level in LEVELS if (draft := _plain_level(view, tools, level, surface))]
        yield from parts
        if len(parts) > 1:
            yield Draft(
                style="plain",
                level="full",
                scale=None,
                source=" ".join(part.source for part in parts),
                surface=surface,
                rendered=Rendered(" ".join(part.rendered.text for part in parts), ()),
                features=tuple(feature for part in parts for feature in part.features),
                asserted=tuple(concept for part in parts for concept in part.asserted),
            )


def _plain_level(view: FieldView, tools: Tools, level: CaptionLevel, surface: int) -> Draft | None:
    texts = _texts("plain", level)
    source = texts[surface % len(texts)]
    if level == "site":
        organ = view.field.organ
        rendered = strip_marks(render(source, {"organ": organ})) if organ else None
        return Draft("plain", level, None, source, surface, rendered, (), ()) if rendered else None
    stated = tuple(feature for feature in view.present.values() if tools.level(feature.attribute) == level)
    if not stated:
        return None
    findings = [mark(item.attribute, tools.phrases.say(item.concept_id, surface)) for item in stated]
    rendered = strip_marks(render(source, {"findings": enumerate_words(findings)}))
    concepts = tuple(item.concept_id for item in stated)
    return Draft("plain", level, SCALE_OF_LEVEL.get(level), source, surface, rendered, stated, concepts)


@dataclass(frozen=True, slots=True)
class _Pick:
    """What the styles that set one value against another speak of."""

    feature: Feature
    other: str
    level: CaptionLevel
    source: str
    surface: int


def _picks(view: FieldView, tools: Tools, style: str) -> Iterator[_Pick]:
    for level in SCALE_OF_LEVEL:
        texts = _texts(style, level)
        known = [feature for feature in view.present.values() if tools.level(feature.attribute) == level]
        if texts and known:
            chance = tools.choice(view.field.field_id, style, level)
            feature = chance.choice(known)
            siblings = tools.values.siblings(feature.attribute, feature.value, view.field.organ)
            if siblings:
                surface = chance.randrange(min(tools.config.phrasings, len(texts)))
                yield _Pick(feature, chance.choice(siblings)[1], level, texts[surface], surface)


def contrast(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield `X rather than Y` for one attribute of a level, X being what holds."""
    for pick in _picks(view, tools, "contrast"):
        here, there = (tools.phrases.say(curie, pick.surface) for curie in (pick.feature.concept_id, pick.other))
        pair = render(_word("rather"), {"here": here, "other": there})
        turned = render(_word("rather"), {"here": there, "other": here})
        rendered = strip_marks(render(pick.source, {"pair": mark("pair", pair)}))
        yield _one(pick, "contrast", rendered, (pick.feature.concept_id,), {"pair": turned})


def presence(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield that a value is present, or that another is absent: each as often, so that polarity tells nothing."""
    for pick in _picks(view, tools, "presence"):
        holds = tools.choice(view.field.field_id, "presence", "polarity", pick.level).random() < 0.5
        probe = pick.feature.concept_id if holds else pick.other
        rendered, swaps = _either(pick.source, holds, tools.phrases.say(probe, pick.surface))
        asserted = (probe,) if holds else ()
        yield _one(pick, "presence", rendered, asserted, swaps, other=probe)


def relation(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield that the architecture supports the field's diagnosis, or speaks against another of the organ."""
    diagnosis = view.present.get(DIAGNOSIS)
    texts = _texts("relation", "impression")
    chance = tools.choice(view.field.field_id, "relation")
    others = tools.values.siblings(DIAGNOSIS, diagnosis.value, view.field.organ) if diagnosis else []
    architecture = view.value("architecture")
    derived = tools.vocabulary.diagnosis(view.field.organ or "", architecture or "")
    if diagnosis is None or not others or derived is None or derived.concept_id != diagnosis.concept_id:
        return
    surface = chance.randrange(min(tools.config.phrasings, len(texts)))
    holds = chance.random() < 0.5
    pick = _Pick(diagnosis, chance.choice(others)[1], "impression", texts[surface], surface)
    probe = diagnosis.concept_id if holds else pick.other
    rendered, swaps = _either(pick.source, holds, tools.phrases.say(probe, surface))
    yield _one(pick, "relation", rendered, (probe,) if holds else (), swaps, other=probe)


def _either(source: str, holds: bool, probe: str) -> tuple[Rendered, dict[str, str]]:
    swaps: dict[str, str] = {}

    def either(yes: str, no: str) -> str:
        swaps["polarity"] = no if holds else yes
        return mark("polarity", yes if holds else no)

    return strip_marks(render(source, {"either": either, "probe": probe})), swaps


def _one(
    pick: _Pick,
    style: str,
    rendered: Rendered,
    asserted: tuple[str, ...],
    swaps: Mapping[str, str],
    *,
    other: str | None = None,
) -> Draft:
    return Draft(
        style=style,
        level=pick.level,
        scale=pick.feature.scale,
        source=pick.source,
        surface=pick.surface,
        rendered=rendered,
        features=(pick.feature,),
        asserted=asserted,
        other=other or pick.other,
        swaps=swaps,
    )


def graded(view: FieldView, tools: Tools, level: CaptionLevel | None = None) -> list[Feature]:
    """Return the features whose attribute has an order, of one level or of those seen at a scale."""
    levels = (level,) if level else tuple(SCALE_OF_LEVEL)
    return [
        feature
        for feature in view.present.values()
        if tools.values.ordered(feature.attribute) and tools.level(feature.attribute) in levels
    ]


def list_text(concepts: list[str], tools: Tools, surface: int) -> str:
    """Return the findings of a complete list as text."""
    return "; ".join(tools.phrases.say(concept, surface) for concept in concepts) or _word("none")


def complete(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield the complete list of what is increased at a level, so that an omission or insertion makes it false."""
    for level, scale in SCALE_OF_LEVEL.items():
        known = graded(view, tools, level)
        texts = _texts("complete", level)
        if texts and len(known) > 1:
            surface = tools.choice(view.field.field_id, "complete").randrange(min(tools.config.phrasings, len(texts)))
            listed = [item.concept_id for item in known if tools.values.increased(item.attribute, item.value)]
            text = mark("list", list_text(listed, tools, surface))
            rendered = strip_marks(render(texts[surface], {"list": text}))
            yield Draft("complete", level, scale, texts[surface], surface, rendered, tuple(known), tuple(listed))


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
        first, second = sorted(pair, key=lambda item: (SCALES.index(item.scale), item.attribute))
        names = {"first": tools.phrases.noun(first.attribute), "second": tools.phrases.noun(second.attribute)}
        slots = {"nouns": render(_word("nouns"), names), "place": mark("place", up.scale)}
        yield _compared("where", view, tools, slots, pair, {"place": other.scale})


def ranking(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield two findings in order of their abnormality."""
    pair = _unequal(view, tools, across=False, purpose="ranking")
    if pair:
        first, second = (tools.phrases.noun(item.attribute) for item in pair)
        order = render(_word("order"), {"first": first, "second": second})
        turned = render(_word("order"), {"first": second, "second": first})
        yield _compared("ranking", view, tools, {"order": mark("order", order)}, pair, {"order": turned})


def _compared(
    style: str,
    view: FieldView,
    tools: Tools,
    slots: Mapping[str, str],
    pair: tuple[Feature, Feature],
    swaps: Mapping[str, str],
) -> Draft:
    texts = _texts(style, "impression")
    surface = tools.choice(view.field.field_id, style, "surface").randrange(min(tools.config.phrasings, len(texts)))
    rendered = strip_marks(render(texts[surface], slots))
    asserted = (pair[0].concept_id,)
    return Draft(
        style, "impression", None, texts[surface], surface, rendered, pair, asserted, pair[1].concept_id, swaps
    )


STYLES: dict[str, Callable[[FieldView, Tools], Iterator[Draft]]] = {
    "plain": plain,
    "contrast": contrast,
    "presence": presence,
    "complete": complete,
    "relation": relation,
    "where": where,
    "ranking": ranking,
}
