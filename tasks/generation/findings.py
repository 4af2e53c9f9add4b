"""Findings before they become features, the boxes they are looked up in, and the closed vocabulary turned around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kg.vocabulary import Value, Vocabulary
from schemas.records import Rejection
from schemas.records.shared import Scale, Status

Box = tuple[float, float, float, float]
"""x, y, width, height in level-0 pixels."""
DIAGNOSIS = "diagnosis"
"""Attribute of a field's diagnosis; its value is the local part of the concept's CURIE."""


@dataclass(frozen=True, slots=True)
class ScaleBox:
    """The box of one field's tile at one scale."""

    field_id: str
    tile_id: str
    scale: Scale
    box: Box


@dataclass(frozen=True, slots=True)
class Finding:
    """One value of one attribute, as one source sees it in one field."""

    field_id: str
    scale: Scale
    attribute: str
    value: str
    concept_id: str
    polarity: Status
    source: str


class FindingSource(Protocol):
    """Where findings come from: annotations, expert captions, linked reports."""

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return the findings of the boxes, and what had to be left out with its reason."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """A value of the closed vocabulary with the attribute and scale it belongs to."""

    attribute: str
    scale: Scale
    value: Value


class Terms:
    """The closed vocabulary looked up by concept, by value name and by label, for one organ.

    Diagnoses are those that the vocabulary knows for the organ; they are read from the low scale, where the
    architecture that they derive from is seen.
    """

    def __init__(self, vocabulary: Vocabulary, organ: str | None) -> None:
        self.scale_of: dict[str, Scale] = {name: attribute.scale for name, attribute in vocabulary.attributes.items()}
        self.scale_of[DIAGNOSIS] = "low"
        terms = [
            Term(name, attribute.scale, value)
            for name, attribute in vocabulary.attributes.items()
            for value in attribute.values.values()
        ]
        terms += [Term(DIAGNOSIS, "low", value) for value in diagnoses(vocabulary, organ)]
        self.by_concept = {term.value.concept_id: term for term in terms}
        self._by_name = {
            (term.attribute, name.lower()): term
            for term in terms
            for name in (term.value.name, term.value.label, term.value.concept_id)
        }

    def named(self, attribute: str, name: str) -> Term | None:
        """Return the value called so (its name, label or CURIE, in any case)."""
        return self._by_name.get((attribute, name.strip().lower()))

    def classified(self, name: str) -> Term | None:
        """Return the only value called so in any attribute, else None."""
        found = [term for (_, known), term in self._by_name.items() if known == name.strip().lower()]
        return found[0] if len(found) == 1 else None


def diagnoses(vocabulary: Vocabulary, organ: str | None) -> list[Value]:
    """Return the diagnoses of an organ; each value is named by the local part of its CURIE."""
    known = vocabulary.diagnoses.get(organ or "", {}).values()
    found = {value.concept_id: Value(local_name(value.concept_id), value.concept_id, value.label) for value in known}
    return list(found.values())


def local_name(curie: str) -> str:
    """Return what stands after the prefix of a CURIE."""
    return curie.partition(":")[2] or curie
