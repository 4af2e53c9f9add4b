"""Drafts of captions with the place of every slot, and the plain style (templates/captions.yaml)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from schemas.ids import digest
from schemas.records import Feature
from schemas.records.generation import CaptionLevel
from schemas.records.shared import Scale
from tasks.generation.authorship import Author
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
        author: who wrote it, where that does not follow from `source`.
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
    author: Author | None = None


def texts_of(style: str, level: CaptionLevel, tools: Tools) -> tuple[str, ...]:
    """Return the phrasings of a style at a level, an endpoint's or the file's; none where it has no such captions."""
    return tools.wordings.captions.get((style, level)) or _texts(style, level)


@functools.cache
def _texts(style: str, level: CaptionLevel) -> tuple[str, ...]:
    return tuple(read_yaml("captions.yaml")["styles"][style].get(level, ()))


def word(name: str) -> str:
    """Return the template of a part of a sentence that styles share."""
    text: str = read_yaml("captions.yaml")["words"][name]
    return text


@functools.cache
def source_sha256(source: str) -> str:
    """Return the digest of a template's text."""
    return digest(source)


def plain(view: FieldView, tools: Tools) -> Iterator[Draft]:
    """Yield every level in every phrasing, then the full text that goes through all levels in order."""
    authors = tools.wordings.authors
    for surface in range(tools.config.phrasings):
        parts = [draft for level in LEVELS if (draft := _plain_level(view, tools, level, surface))]
        yield from parts
        if len(parts) > 1:
            text = " ".join(part.rendered.text for part in parts)
            written = tools.wordings.paragraphs.get(text)
            yield Draft(
                style="plain",
                level="full",
                scale=None,
                source=written or " ".join(part.source for part in parts),
                surface=surface,
                rendered=Rendered(written or text, ()),
                features=tuple(feature for part in parts for feature in part.features),
                asserted=tuple(concept for part in parts for concept in part.asserted),
                author=next((authors[part.source] for part in parts if part.source in authors), None),
            )


def _plain_level(view: FieldView, tools: Tools, level: CaptionLevel, surface: int) -> Draft | None:
    texts = texts_of("plain", level, tools)
    source = texts[surface % len(texts)]
    if level == "site":
        organ = view.field.organ
        rendered = strip_marks(render(source, {"organ": organ})) if organ else None
        return Draft("plain", level, None, source, surface, rendered, (), ()) if rendered else None
    stated = tuple(feature for feature in view.present.values() if tools.level(feature) == level)
    if not stated:
        return None
    findings = [mark(item.attribute, tools.say(item.concept_id, surface)) for item in stated]
    rendered = strip_marks(render(source, {"findings": enumerate_words(findings)}))
    concepts = tuple(item.concept_id for item in stated)
    return Draft("plain", level, SCALE_OF_LEVEL.get(level), source, surface, rendered, stated, concepts)
