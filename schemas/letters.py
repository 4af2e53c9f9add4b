"""Rationales speak of findings: a letter would name the key, and wrongly once the options change places."""

from __future__ import annotations

import re

# "Option B", "answer is (C)", "(D)", "B. ...", "B is correct". Without lookaheads: the gate's RE2 reads it as well.
LETTER = (
    r"\b(?:[Oo]ptions?|[Aa]nswers?|[Cc]hoices?|OPTION|ANSWER|CHOICE)\s*(?:is|are|:)?\s*[\"'(\[]?[A-Z]\b"
    r"|[(\[][A-Z][)\]]|(?:^|[.;:!?]\s+)[A-Z]\s*[).:](?:\s|$)|^[A-Z]\s+(?:is|because|since)\b"
    r"|\b[A-Z]\s+is\s+(?:the\s+)?(?:correct|right|wrong|incorrect|best)\b"
)
"""What names an option's letter, as Python and RE2 read it alike."""
_LETTER = re.compile(LETTER, re.ASCII)  # as RE2 takes \b and \s


def names_a_letter(rationale: str) -> str | None:
    """Return the words with which a rationale names an option's letter, or None."""
    found = _LETTER.search(rationale)
    return found.group().strip() if found else None
