"""The closed vocabulary, as the demo needs it: the values of each attribute, their labels, the diagnoses."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml

VOCABULARY = Path(__file__).resolve().parent.parent / "kg" / "starter" / "vocabulary.yaml"
TUMOUR_ARCHITECTURES = ("glandular", "solid", "papillary", "cribriform")
CYTOLOGY = ("nuclear_size", "pleomorphism", "mitoses", "nucleoli")


@dataclass(frozen=True)
class Vocabulary:
    """Values by attribute, labels by (attribute, value), diagnosis labels by (organ, architecture)."""

    values: dict[str, tuple[str, ...]]
    labels: dict[tuple[str, str], str]
    diagnoses: dict[tuple[str, str], str]

    @property
    def organs(self) -> tuple[str, ...]:
        """The organs, in the order of the file."""
        return tuple(dict.fromkeys(organ for organ, _ in self.diagnoses))


@functools.cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary that stands beside the starter graph."""
    content = yaml.safe_load(VOCABULARY.read_text(encoding="utf-8"))
    attributes = content["attributes"]
    return Vocabulary(
        values={name: tuple(attribute["values"]) for name, attribute in attributes.items()},
        labels={
            (name, value): entry["label"]
            for name, attribute in attributes.items()
            for value, entry in attribute["values"].items()
        },
        diagnoses={
            (organ, architecture): entry["label"]
            for organ, patterns in content["diagnoses"].items()
            for architecture, entry in patterns.items()
        },
    )
