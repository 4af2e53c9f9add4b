"""How concepts and attributes are said (templates/phrases.yaml)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from kg.vocabulary import Vocabulary
from schemas.ids import digest
from schemas.records.generation import CaptionLevel
from schemas.records.shared import Scale
from tasks.generation.findings import DIAGNOSIS, diagnoses

FOLDER = Path(__file__).parent / "templates"
LEVEL_OF_SCALE: dict[Scale, CaptionLevel] = {"low": "architecture", "mid": "compartment", "high": "cytology"}
AttributeRole = Literal["entity", "descriptor", "relation"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttributeWords(_Closed):
    """The noun of an attribute, the semantic role of its values and the caption level they stand in."""

    noun: str
    role: AttributeRole
    level: CaptionLevel | None = None


class PhraseFile(_Closed):
    """The file templates/phrases.yaml."""

    version: int
    attributes: Mapping[str, AttributeWords]
    plurals: frozenset[str]
    links: frozenset[str]
    phrases: Mapping[str, tuple[str, ...]]


@functools.cache
def read_yaml(name: str) -> dict[str, Any]:
    """Return the content of a file of templates."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return document


@functools.cache
def load_phrases() -> PhraseFile:
    """Return the phrases."""
    return PhraseFile.model_validate(read_yaml("phrases.yaml"))


class Phrases:
    """Surfaces of concepts by phrasing, with labels of the vocabulary for concepts that have none."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.file = load_phrases()
        self._vocabulary = vocabulary
        self._label = {
            value.concept_id: value.label
            for attribute in vocabulary.attributes.values()
            for value in attribute.values.values()
        }
        for organ in vocabulary.diagnoses:
            self._label.update((value.concept_id, value.label) for value in diagnoses(vocabulary, organ))

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the phrases in use."""
        return digest(self.file.model_dump(mode="json"))

    def say(self, concept_id: str, surface: int = 0) -> str | None:
        """Return a noun phrase for a concept, None for one unknown here; surfaces repeat where there are fewer."""
        known = self.file.phrases.get(concept_id)
        return known[surface % len(known)] if known else self._label.get(concept_id)

    def agree(self, phrase: str, verb: str) -> str:
        """Return a verb phrase (`is a finding of`, `has the kind`) in the number of a noun phrase's head."""
        words = phrase.split()
        ends = [index for index, word in enumerate(words) if word in self.file.links]
        head = words[: ends[0]] if ends else words
        if not head or head[-1] not in self.file.plurals:
            return verb
        first, _, rest = verb.partition(" ")
        return f"{ {'is': 'are', 'has': 'have', 'does': 'do'}.get(first, first) } {rest}"

    def noun(self, attribute: str) -> str:
        """Return the noun of an attribute."""
        words = self.file.attributes.get(attribute)
        return words.noun if words else attribute.rpartition("/")[2].replace("_", " ")

    def role(self, attribute: str) -> AttributeRole:
        """Return the semantic role of an attribute's values."""
        words = self.file.attributes.get(attribute)
        if words:
            return words.role
        known = self._vocabulary.attributes.get(attribute)
        return "entity" if known is None or known.scale == "low" else "descriptor"

    def level(self, attribute: str, scale: Scale) -> CaptionLevel:
        """Return the caption level that an attribute seen at a scale stands in."""
        words = self.file.attributes.get(attribute)
        return words.level if words and words.level else LEVEL_OF_SCALE[scale]


class Values:
    """The values that an attribute can take in a field of an organ, as value name -> concept."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._of_organ: dict[str | None, dict[str, str]] = {}

    def of(self, attribute: str, organ: str | None) -> dict[str, str]:
        """Return value name -> CURIE, in the vocabulary's order."""
        if attribute == DIAGNOSIS:
            if organ not in self._of_organ:
                self._of_organ[organ] = {v.name: v.concept_id for v in diagnoses(self._vocabulary, organ)}
            return self._of_organ[organ]
        known = self._vocabulary.attributes.get(attribute)
        return {name: value.concept_id for name, value in known.values.items()} if known else {}

    def siblings(self, attribute: str, value: str, organ: str | None) -> list[tuple[str, str]]:
        """Return the other values as (name, CURIE)."""
        return [item for item in self.of(attribute, organ).items() if item[0] != value]

    def ordered(self, attribute: str) -> bool:
        """Return whether neighbouring values differ by one step."""
        known = self._vocabulary.attributes.get(attribute)
        return known is not None and known.ordered

    def neighbours(self, attribute: str, value: str) -> list[tuple[str, str]]:
        """Return the values one step away as (name, CURIE)."""
        known = self._vocabulary.attributes.get(attribute)
        return [(near.name, near.concept_id) for near in known.neighbours(value)] if known else []

    def increased(self, attribute: str, value: str) -> bool:
        """Return whether an ordered attribute's value lies in the upper half of its range."""
        names = list(self.of(attribute, None))
        return names.index(value) >= (len(names) + 1) // 2
