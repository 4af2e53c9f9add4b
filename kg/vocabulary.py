"""The closed vocabulary of what a field can show, read from `starter/vocabulary.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from schemas.errors import GraphError
from schemas.records.shared import SCALES, Scale

FILE = Path(__file__).parent / "starter" / "vocabulary.yaml"


@dataclass(frozen=True, slots=True)
class Value:
    """One value that an attribute can take."""

    name: str
    concept_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a field: the scale at which it is seen and its values in order.

    Attributes:
        ordered: neighbouring values differ by one step.
    """

    name: str
    scale: Scale
    ordered: bool
    values: Mapping[str, Value]

    def neighbours(self, name: str) -> tuple[Value, ...]:
        """Return the values one step below and above; empty where the values have no order."""
        names = list(self.values)
        here = names.index(name)
        near = [here - 1, here + 1] if self.ordered else []
        return tuple(self.values[names[index]] for index in near if 0 <= index < len(names))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Attributes with their values, and the diagnosis that each organ's pattern supports."""

    attributes: Mapping[str, Attribute]
    diagnoses: Mapping[str, Mapping[str, Value]]
    _by_concept: Mapping[str, tuple[Attribute, Value]] = field(repr=False)

    def diagnosis(self, organ: str, architecture: str) -> Value | None:
        """Return the diagnosis of an organ that an architecture supports, None where it supports none."""
        return self.diagnoses.get(organ, {}).get(architecture)

    def value_of(self, concept_id: str) -> tuple[Attribute, Value] | None:
        """Return the attribute and value that a concept stands for, None where it is no value."""
        return self._by_concept.get(concept_id)


def _value(name: str, entry: Any, where: str) -> Value:
    try:
        return Value(name=name, concept_id=entry["concept"], label=entry["label"])
    except (KeyError, TypeError) as error:
        raise GraphError(f"{where}.{name} in {FILE.name} lacks concept or label", remedy="give both") from error


def _attribute(name: str, entry: dict[str, Any]) -> Attribute:
    if entry.get("scale") not in SCALES:
        raise GraphError(f"attribute {name} in {FILE.name} has no scale of {', '.join(SCALES)}", remedy="give one")
    values = {value: _value(value, text, name) for value, text in entry["values"].items()}
    return Attribute(name=name, scale=entry["scale"], ordered=entry["ordered"], values=MappingProxyType(values))


@functools.cache
def load_vocabulary() -> Vocabulary:
    """Return the vocabulary.

    Raises:
        GraphError: the file lacks a key, or a concept stands for two values.
    """
    document = yaml.load(FILE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    attributes = {name: _attribute(name, entry) for name, entry in document["attributes"].items()}
    by_concept: dict[str, tuple[Attribute, Value]] = {}
    for attribute in attributes.values():
        for value in attribute.values.values():
            if value.concept_id in by_concept:
                raise GraphError(f"{value.concept_id} in {FILE.name} stands for two values", remedy="give each its own")
            by_concept[value.concept_id] = (attribute, value)
    diagnoses = {
        organ: MappingProxyType({name: _value(name, entry, organ) for name, entry in patterns.items()})
        for organ, patterns in document["diagnoses"].items()
    }
    return Vocabulary(MappingProxyType(attributes), MappingProxyType(diagnoses), MappingProxyType(by_concept))
