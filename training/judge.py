"""A judge of meaning: how far a completion says the same as its reference, by any model that answers prompts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MOST = 10
PROMPT = (
    "Two pathologists describe and interpret the same field. Grade how far the second says the same as the first: the "
    "same findings, the same reasons, the same conclusion. Wording and order do not count; a finding that is denied in "
    "one and stated in the other does.\n\nFirst:\n{reference}\n\nSecond:\n{completion}\n\n"
    f"Answer with a whole number from 0 (nothing in common) to {MOST} (the same) and nothing else."
)
_GRADE = re.compile(rf"\s*(\d{{1,2}})\s*(?:/\s*{MOST})?\s*\.?\s*")

Ask = Callable[[Sequence[str]], Sequence[str | None]]
"""From prompts to answers, in order; None where none came."""


class Judge:
    """Grades completions against references.

    Args:
        ask: answers prompts.

    Attributes:
        unanswered: completions that got no usable grade so far.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.unanswered = 0

    def __call__(self, completions: Sequence[str], references: Sequence[str]) -> list[float | None]:
        """Return a grade from 0 to 1 for each completion, None where no usable answer came."""
        pairs = zip(completions, references, strict=True)
        answers = self._ask([PROMPT.format(completion=said, reference=gold) for said, gold in pairs])
        grades = [None if answer is None else grade(answer) for answer in answers]
        self.unanswered += grades.count(None)
        return grades


def grade(answer: str) -> float | None:
    """Return the grade that an answer names, 0 to 1; None where it names none, or one out of range."""
    found = _GRADE.fullmatch(answer)
    if found is None or int(found[1]) > MOST:
        return None
    return int(found[1]) / MOST
