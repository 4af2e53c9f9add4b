"""Canonical questions: what would tell a reader the key by its form alone is taken out before anything is read."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.letters import names_a_letter
from schemas.records import Question, Rejection
from schemas.rejection import Reason
from tasks.screening.items import MAX_OPTIONS, MIN_OPTIONS, normalised


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
