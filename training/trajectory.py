"""Reasoning trajectories as text: one form shared by training data, prompts and rewards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.records.generation import ANSWER, OBSERVE, THINK

_PART = r"<{0}>\n?(?P<{0}>(?:(?!</?(?:" + "|".join((OBSERVE, THINK, ANSWER)) + r")>).)+?)\n?</{0}>"
_FORM = re.compile(
    rf"\s*(?:{_PART.format(OBSERVE)}\s*)?{_PART.format(THINK)}\s*{_PART.format(ANSWER)}\s*", flags=re.DOTALL
)
_ANSWER = re.compile(_PART.format(ANSWER), flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What is seen, the steps of thought, and the answer."""

    observe: str
    think: tuple[str, ...]
    answer: str

    def text(self) -> str:
        """Return the trajectory with its tags, one step of thought a line."""
        observed = f"<{OBSERVE}>{self.observe}</{OBSERVE}>\n" if self.observe else ""
        thought = "\n".join(self.think)
        return f"{observed}<{THINK}>\n{thought}\n</{THINK}>\n<{ANSWER}>{self.answer}</{ANSWER}>"

    def split(self, given: int) -> tuple[str, str]:
        """Return the text that is given and the text to be learnt, where the first `given` steps are given.

        The two parts joined are `text()`.

        Raises:
            ValueError: there are not more than `given` steps.
        """
        if not 0 <= given < len(self.think):
            raise ValueError(f"{given} steps cannot be given of {len(self.think)}")
        whole = self.text()
        if given == 0:
            return "", whole
        head = whole.index(f"<{THINK}>\n") + len(f"<{THINK}>\n")
        cut = head + sum(len(step) + 1 for step in self.think[:given])
        return whole[:cut], whole[cut:]


def trajectory_of(row: dict[str, Any]) -> Trajectory:
    """Return the trajectory of a row of the `reasoning` table."""
    steps: Sequence[dict[str, Any]] = row["think"]
    return Trajectory(row["observe"], tuple(_one_line(step["text"]) for step in steps), row["answer"])


def parse(text: str) -> Trajectory | None:
    """Return the trajectory that a completion holds, or None where it has not exactly the form.

    The form is `<observe>` (may be left out), `<think>`, `<answer>`, each once, in this order, not empty, and nothing
    else but white space.
    """
    found = _FORM.fullmatch(text)
    if found is None or not all(found[part].strip() for part in (THINK, ANSWER)):
        return None
    lines = tuple(line.strip() for line in found[THINK].splitlines() if line.strip())
    return Trajectory((found[OBSERVE] or "").strip(), lines, found[ANSWER].strip())


def answer_in(text: str) -> str | None:
    """Return the answer of a completion whatever the rest looks like; the last one where there are several."""
    found = list(_ANSWER.finditer(text))
    return found[-1][ANSWER].strip() if found else None


def _one_line(text: str) -> str:
    return " ".join(text.split())
