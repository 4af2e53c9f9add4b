"""Edited questions are screened again: people make texts guessable as readily as templates do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.records import Question, Rejection, Verdict
from tasks.rebalance import restore_balance, unbalanced_sets
from tasks.review.config import ReviewConfig

Screener = Callable[[Sequence[Question]], tuple[Mapping[str, Sequence[Mapping[str, Any]]], list[Verdict]]]
"""Screens questions; returns the flags of each flagged one as `{reader, p, cue}`, and every verdict."""


def hold_what_leaks(
    before: Sequence[Question], kept: Sequence[Question], screener: Screener, config: ReviewConfig
) -> tuple[list[Question], list[Rejection], list[Verdict]]:
    """Return the questions that go on, edited ones that text-only readers guess, and the edited ones' new verdicts.

    The readers are fitted on all questions as they are now, edits included, so that an edited question meets the
    readers that it would meet in a first screening.

    Args:
        before: the questions as they came to review.
        kept: those that review passes on, edits applied.
        screener: text-only screening, handed in because stages do not know one another.
        config: whether edits are screened at all.
    """
    round_before = {question.question_id: question.round for question in before}
    edited = {question.question_id for question in kept if question.round > round_before[question.question_id]}
    if not edited or not config.rescreen_edits:
        return list(kept), [], []
    flags, verdicts = screener(kept)
    passed, held = [], []
    for question in kept:
        if question.question_id in edited and question.question_id in flags:
            held.append(_held(question, flags[question.question_id]))
        else:
            passed.append(question)
    if config.rebalance:
        passed, lost = restore_balance(passed, unbalanced_sets(kept), "review")
        held += lost
    return passed, held, [row for row in verdicts if row.question_id in edited]


def _held(question: Question, flags: Sequence[Mapping[str, Any]]) -> Rejection:
    surest = max(flags, key=lambda flag: float(flag["p"]))
    detail = (
        f"flagged again after its edit: {surest['reader']} guesses the key with {surest['p']:.2f} by {surest['cue']}"
    )
    return Rejection(question.question_id, "review", "leaks", detail)
