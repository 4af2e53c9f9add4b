"""Multiple choice: which letter an answer chooses, and how probable each letter was."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from tasks.endpoint.answers import Answer

_LEAST = 1e-12  # probability: servers write -9999 and the like for tokens that they have ruled out
_LETTER = re.compile(r"(?:answer\s*(?:is)?\s*[:=]?\s*)?[\(\[\"']?([A-Z])(?:[\)\]\"'.:,]|\s*$)", re.IGNORECASE)


def letter_logprobs(answer: Answer, letters: Sequence[str]) -> list[float] | None:
    """Return log p of each letter, renormalised over the letters; None where the server gives no probabilities.

    Tokens that read as the same letter (`A`, ` A`, `(A`) are summed. A letter among none of the alternatives gets what
    the least probable alternative got, which bounds its probability from above.

    Args:
        answer: answer to a request with `top_logprobs`.
        letters: single upper-case letters, one an option.
    """
    if not answer.first_tokens:
        return None
    mass = dict.fromkeys(letters, 0.0)
    for token, log_p in answer.first_tokens.items():
        said = token.strip().strip("([\"'.:)]")
        if said in mass:
            mass[said] += math.exp(log_p)
    if not any(mass.values()):
        return None
    floor = math.exp(min(answer.first_tokens.values()))
    filled = [max(mass[letter] or floor, _LEAST) for letter in letters]
    total = sum(filled)
    return [math.log(value / total) for value in filled]


def chosen_letter(text: str, letters: Sequence[str]) -> str | None:
    """Return the letter that an answer's text begins with (`B`, `(b)`, `Answer: B`), None where it names none."""
    found = _LETTER.match(text.strip())
    letter = found.group(1).upper() if found else ""
    return letter if letter in list(letters) else None
