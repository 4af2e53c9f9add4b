"""Canonical questions: what would tell a reader the key by its form alone is taken out before anything is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.records import Question, Rejection
from schemas.rejection import Reason
from tasks.screening.items import MAX_OPTIONS, MIN_OPTIONS, normalised

# A rationale that names a letter: "Option B", "answer is (C)", "(D)", "B. ...", "B is correct".
_LETTER = re.compile(
    r"\b(?:[Oo]ptions?|[Aa]nswers?|[Cc]hoices?|OPTION|ANSWER|CHOICE)\s*(?:is|are|:)?\s*[\"'(\[]?[A-Z]\b(?!')"
    r"|[(\[][A-Z][)\]]|(?:^|[.;:!?]\s+)[A-Z]\s*[).:](?=\s|$)|^[A-Z]\s+(?:is|because|since)\b"
    r"|\b[A-Z]\s+is\s+(?:the\s+)?(?:correct|right|wrong|incorrect|best)\b"
)


def names_a_letter(rationale: str) -> str | None:
    """Return the words with which a rationale names an option's letter, or None."""
    found = _LETTER.search(rationale)
    return found.group().strip() if found else None


def _fault(question: Question) -> tuple[Reason, str] | None:
    texts = [normalised(option) for option in question.options]
    letter = names_a_letter(question.rationale)
    fault: tuple[Reason, str] | None = None
    if not MIN_OPTIONS <= len(texts) <= MAX_OPTIONS:
        fault = "malformed_item", f"{len(texts)} options; 2 to 26 are read"
    elif not all(texts):
        fault = "empty_option", f"option {texts.index('') + 1} of {len(texts)} is empty"
    elif len(set(texts)) < len(texts):
        fault = "duplicate_options", "two options are the same text"
    elif not 0 <= question.answer_index < len(texts):
        fault = "missing_answer", f"key {question.answer_index} of {len(texts)} options"
    elif letter:
        fault = "lettered_rationale", f"the rationale says {letter!r}"
    return fault


def canonicalise(questions: Sequence[Question]) -> tuple[list[Question], list[Rejection]]:
    """Return the questions that are fit to be read, in order, and those that are not, with reasons."""
    kept: list[Question] = []
    rejections: list[Rejection] = []
    seen: set[object] = set()
    for question in questions:
        fault = _fault(question)
        same = (question.field_id, normalised(question.question), tuple(sorted(map(normalised, question.options))))
        if fault is None and (same in seen or question.question_id in seen):
            fault = "duplicate_item", "the same question was asked of this field before"
        if fault is None:
            seen.update((same, question.question_id))
            kept.append(question)
        else:
            rejections.append(Rejection(question.question_id, "screening", *fault))
    return kept, rejections
