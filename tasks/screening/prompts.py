"""What language-model readers are shown: a prefix that all rotations of a question share, and one suffix each."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.screening.items import LETTERS

VERSION = 1  # part of the key of stored scores: raise it when any text below changes
LETTER_ONLY = "Answer with the letter of the right option and with nothing else. If you cannot know, guess."
GUESS = "One of these options is the right answer to a question about an image that is not shown.\n"


def question_prefix(question: str) -> str:
    """Return the prefix of a multiple-choice prompt."""
    return f"The question is about an image that is not shown.\nQuestion: {question.strip()}\n"


def options_suffix(options: Sequence[str]) -> str:
    """Return the lettered options and the cue for the answer's letter."""
    lines = [f"{letter}. {option.strip()}\n" for letter, option in zip(LETTERS, options, strict=False)]
    return "".join(lines) + "Answer:"


def rotated(options: Sequence[str], turn: int) -> list[str]:
    """Return options turned so that option i stands at place (i + turn) mod k."""
    k = len(options)
    return [options[(place - turn) % k] for place in range(k)]


def cloze_prefix(question: str) -> str:
    """Return the prefix after which each option is read as the answer's text."""
    return f"Question: {question.strip()}\nAnswer:"


def listed_prefix(question: str, options: Sequence[str]) -> str:
    """Return a question with all its options in the order of the alphabet, after which each is read as the answer."""
    lines = [f"- {option.strip()}\n" for option in sorted(options)]
    return f"Question: {question.strip()}\nOptions:\n{''.join(lines)}Answer:"


DOMAIN = "Answer:"
"""The prefix without a question: what an option is worth by itself (domain-conditional PMI, Holtzman et al. 2021)."""
