"""Captions that set a value against another: X rather than Y, present or absent, for or against a diagnosis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.records import Feature
from schemas.records.generation import CaptionLevel
from tasks.generation.caption_styles import SCALE_OF_LEVEL, Draft, texts_of, word
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.grammar import Rendered, mark, render, strip_marks
from tasks.generation.view import FieldView, Tools


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
        texts = texts_of(style, level, tools)
        known = [feature for feature in view.present.values() if tools.level(feature) == level]
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
        here, there = (tools.say(curie, pick.surface) for curie in (pick.feature.concept_id, pick.other))
        pair = render(word("rather"), {"here": here, "other": there})
        turned = render(word("rather"), {"here": there, "other": here})
        rendered = strip_marks(render(pick.source, {"pair": mark("pair", pair)}))
        yield _one(pick, "contrast", rendered, (pick.feature.concept_id,), {"pair": turned})


def presence(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield that a value is present, or that another is absent: each as often, so that polarity tells nothing."""
    for pick in _picks(view, tools, "presence"):
        holds = tools.choice(view.field.field_id, "presence", "polarity", pick.level).random() < 0.5
        probe = pick.feature.concept_id if holds else pick.other
        rendered, swaps = _either(pick.source, holds, tools.say(probe, pick.surface))
        asserted = (probe,) if holds else ()
        yield _one(pick, "presence", rendered, asserted, swaps, other=probe)


def sought(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield that a finding is there or not, where a text denies it or names one outside the closed vocabulary."""
    for level in SCALE_OF_LEVEL:
        texts = texts_of("sought", level, tools)
        known = [item for item in view.named() if tools.level(item) == level]
        if texts and known:
            chance = tools.choice(view.field.field_id, "sought", level)
            feature = chance.choice(known)
            surface = chance.randrange(min(tools.config.phrasings, len(texts)))
            holds, probe = feature.polarity == "present", feature.concept_id
            rendered, swaps = _either(texts[surface], holds, tools.say(probe, surface))
            pick = _Pick(feature, probe, level, texts[surface], surface)
            yield _one(pick, "sought", rendered, (probe,) if holds else (), swaps, other=probe)


def relation(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield that the architecture supports the field's diagnosis, or speaks against another of the organ."""
    diagnosis = view.present.get(DIAGNOSIS)
    texts = texts_of("relation", "impression", tools)
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
    rendered, swaps = _either(pick.source, holds, tools.say(probe, surface))
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
