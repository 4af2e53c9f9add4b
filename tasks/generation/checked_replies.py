"""Forms of answers whose texts are checked while they are read, so that the client can ask for them again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tasks.generation.claims import Claims

FOREIGN = re.compile(r"[\[\]{}<>#]|\*\*")
PLACES = re.compile(
    r"\b(?:options?|choices?|answers?|state \d)\b|\b[A-E][).:]|\b(?:first|last) (?:one|statement)\b", re.IGNORECASE
)


class Check(Protocol):
    """Says what is wrong with a text."""

    def fault(self, text: str) -> str | None:
        """Return why a text cannot be used, None where it can."""
        ...


def usable(texts: list[str], info: ValidationInfo) -> list[str]:
    """Return the different texts that pass the check of the field, or raise with the fault of the first."""
    check: Check = (info.context or {})[info.field_name]
    faults = [check.fault(text) for text in texts]
    kept = [text for text, fault in zip(texts, faults, strict=True) if fault is None]
    if not kept:
        raise ValueError(next(filter(None, faults), "no text"))
    return list(dict.fromkeys(kept))


def _one(text: str, info: ValidationInfo) -> str:
    return usable([text], info)[0]


def _each(texts: list[str], info: ValidationInfo) -> list[str]:
    checks: Sequence[Check] = (info.context or {})[info.field_name]
    if len(texts) != len(checks):
        raise ValueError(f"{len(texts)} texts, not {len(checks)}")
    for number, (check, text) in enumerate(zip(checks, texts, strict=True), start=1):
        if fault := check.fault(text):
            raise ValueError(f"text {number}: {fault}")
    return texts


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CaptionWording(_Reply):
    """Other wordings of one caption template."""

    wordings: list[str]
    _kept = field_validator("wordings")(usable)


class QuestionWording(_Reply):
    """Other wordings of one question template."""

    questions: list[str]
    options: list[str]
    rationale: str
    _kept = field_validator("questions", "options")(usable)
    _said = field_validator("rationale")(_one)


class Paragraph(_Reply):
    """A description in one paragraph."""

    text: str
    _said = field_validator("text")(_one)


class Replacements(_Reply):
    """Findings that would make a caption false."""

    replacements: list[str]
    _kept = field_validator("replacements")(usable)


class FreeForm(_Reply):
    """A question with an option and a rationale for each state."""

    question: str
    options: list[str]
    rationales: list[str]
    _asked = field_validator("question")(_one)
    _said = field_validator("options", "rationales")(_each)

    @model_validator(mode="after")
    def _alike(self, info: ValidationInfo) -> FreeForm:
        lengths = [len(option) for option in self.options]
        if max(lengths) > (info.context or {})["max_length_ratio"] * min(lengths):
            raise ValueError(f"options of {min(lengths)} to {max(lengths)} characters: make them equally long")
        return self


class Reasoned(_Reply):
    """Observation and steps of a reasoning sample."""

    observe: str
    steps: list[str]
    _seen = field_validator("observe")(_one)
    _thought = field_validator("steps")(_each)


class Judgement(_Reply):
    """What a judge says of a reasoning sample."""

    faithful: int = Field(ge=1, le=5)
    logical: int = Field(ge=1, le=5)
    fault: str


class SaysThat:
    """A text has to claim what another text claims, saying some phrases as they are."""

    def __init__(self, claims: Claims, model: str, phrases: Sequence[str], *, in_order: bool = False) -> None:
        """Take the text to agree with, the phrases to say, and whether their order matters."""
        self._claims = claims
        self._model = model
        self._phrases = tuple(phrases)
        self._in_order = in_order

    def fault(self, text: str) -> str | None:
        """Return what the text leaves out, adds, or says in other words or order."""
        if FOREIGN.search(text) or PLACES.search(text) or "\n" in text:
            return "brackets, lines, or talk of options and answers"
        if len(text) > 3 * len(self._model) + 200:
            return "too long"
        places = [text.lower().find(phrase.lower()) for phrase in self._phrases]
        if -1 in places:
            return f"does not say {self._phrases[places.index(-1)]!r} in these words"
        if self._in_order and places != sorted(places):
            return "findings stand in another order"
        return self._claims.fault(text, self._claims.of(self._model))
