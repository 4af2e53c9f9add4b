"""Carry a repair out: the questions of a failing cell in, each one repaired or the reason why not out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.records import Question
from tasks.screening.pairing import pair_questions
from tasks.screening.repair import NotRepaired, Repair, Rewriter, shuffle_keys


def _written(questions: Sequence[Question], repair: Repair, rewrite: Rewriter) -> list[Question | NotRepaired]:
    written = list(rewrite(repair, questions))
    if len(written) != len(questions) or any(isinstance(new, Question) and new.cell != repair.cell for new in written):
        raise ValueError(f"the rewriter of {repair.cell} must return one question of that cell, or why not, for each")
    return written


def repaired(
    questions: Sequence[Question], repair: Repair, seed: int, rewrite: Rewriter | None
) -> list[Question | NotRepaired] | None:
    """Return a cell's questions after a repair; None where the repair cannot be done at all.

    Raises:
        ValueError: the rewriter did not return one entry per question, or one of another cell.
    """
    made: list[Question | NotRepaired] = []
    if repair.operation == "shuffle":
        if any(question.option_set_id is None for question in questions):
            made += shuffle_keys(questions, seed + repair.round)
    elif repair.operation == "pair":
        made += pair_questions(questions, seed + repair.round)
    elif rewrite is not None:
        made += _written(questions, repair, rewrite)
    if not any(isinstance(new, Question) for new in made):
        return None
    return [
        replace(new, round=old.round + 1) if isinstance(new, Question) else new
        for new, old in zip(made, questions, strict=True)
    ]
