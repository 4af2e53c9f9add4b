"""Parts that several records hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Scale = Literal["low", "mid", "high"]
SCALES: tuple[Scale, ...] = ("low", "mid", "high")
Status = Literal["present", "absent", "uncertain"]


def doc(text: str) -> dict[str, str]:
    """Return dataclass field metadata that carries the column's description."""
    return {"doc": text}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who or what made a row, from which inputs, with which code."""

    generator: str = field(metadata=doc("generator that made the row: rules, openai, demo, ..."))
    model: str | None = field(default=None, metadata=doc("model name where one was called"))
    prompt_sha256: str | None = field(default=None, metadata=doc("SHA-256 of the prompt or template text"))
    parameters: str = field(default="{}", metadata=doc("canonical JSON of the parameters"))
    code_version: str = field(default="", metadata=doc("digest of the source of the stage that made the row"))
    input_ids: tuple[str, ...] = field(default=(), metadata=doc("ids of the rows, features and edges used"))
    ledger_id: str | None = field(default=None, metadata=doc("ledger row of the endpoint call, if any"))


@dataclass(frozen=True, slots=True)
class Feature:
    """One finding that can be seen in a field at one scale: the atom of all generation."""

    feature_id: str = field(metadata=doc("content id, `feat_...`"))
    scale: Scale = field(metadata=doc("scale at which the finding is seen"))
    attribute: str = field(metadata=doc("attribute of the closed vocabulary, e.g. `nucleoli`"))
    value: str = field(metadata=doc("value of the attribute, e.g. `prominent`"))
    concept_id: str = field(metadata=doc("CURIE of the value's concept in the graph"))
    polarity: Status = field(default="present", metadata=doc("present, absent or uncertain"))
    source: str = field(default="", metadata=doc("where it comes from: annotation, report, caption, endpoint"))
