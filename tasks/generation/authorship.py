"""Who wrote the words: texts of an endpoint in place of those of the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.records.generation import CaptionLevel
from tasks.generation.question_plan import QuestionTemplate


@dataclass(frozen=True, slots=True)
class Author:
    """The model that wrote a text, the digest of the prompt it was given and the ledger row of the call."""

    model: str
    prompt_sha256: str
    ledger_id: str


@dataclass(frozen=True)
class Wordings:
    """Templates and paragraphs that an endpoint worded; what is not in them is worded by the files.

    Attributes:
        captions: style and level of a caption -> templates.
        questions: name of a question template -> the template in other words.
        paragraphs: full text of the files -> text of the endpoint.
        authors: template of a caption, name of a question template, or paragraph -> who wrote it.
    """

    captions: Mapping[tuple[str, CaptionLevel], tuple[str, ...]] = field(default_factory=dict)
    questions: Mapping[str, QuestionTemplate] = field(default_factory=dict)
    paragraphs: Mapping[str, str] = field(default_factory=dict)
    authors: Mapping[str, Author] = field(default_factory=dict)

    def __or__(self, other: Wordings) -> Wordings:
        """Return both together; where both word a text, the other wins."""
        return Wordings(
            {**self.captions, **other.captions},
            {**self.questions, **other.questions},
            {**self.paragraphs, **other.paragraphs},
            {**self.authors, **other.authors},
        )
