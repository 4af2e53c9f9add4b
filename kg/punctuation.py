"""Marks that end a clause or may end one, line breaks that only wrap a sentence, and signs that state a result."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kg.scope import Hit

_MARKS = re.compile(r"[;:?!\n,]|\.(?=\s|$)")
_SENTENCE = frozenset(".?!\n")
_WITH = re.compile(r",\s+with\b", re.IGNORECASE)
# What cannot end or begin a statement, so that a line break beside it ends none either.
_UNFINISHED = re.compile(
    r"\b(?:and|or|nor|of|by|for|from|in|with|without|the|an?|to|no|any|is|are|was|were|be|been)\Z", re.IGNORECASE
)
_CONTINUING = re.compile(r"\n[ \t]*(?:and|or|nor|of|by|is|are|was|were)\b")
_LOWER_CASE = re.compile(r"\n[ \t]*[a-z](?![^\n.:]*:)")  # and no item of a list, "necrosis: absent"
_CAPITAL = re.compile(r"\W*[A-Z]")
_BLANK = re.compile(r"\n[ \t\r]*(?:\n|\Z)")
_LAST_WORD = len("without  ")
_RESULT_END = r"(?=[ \t\r]*(?:[,;\n]|\.(?:\s|$)|$))"
_NEGATIVE = r"\([ \t]*[-\u2013\u2212][ \t]*\)|[-\u2013\u2212]|0[ \t]?%?"
_RESULTS = re.compile(rf":[ \t]*(?:(?P<negative>{_NEGATIVE})|(?P<none>n\.?/?a\.?)){_RESULT_END}", re.IGNORECASE)


def marks(text: str) -> Iterator[Hit]:
    """Yield the marks of a text as triggers; a line break inside a sentence is none."""
    begin = 0
    for mark in _MARKS.finditer(text):
        sign, start, end = mark[0], mark.start(), mark.end()
        if sign == "\n" and _wraps(text, begin, start):
            continue
        if sign in _SENTENCE:
            begin = end
        yield start, end, "hard" if sign != "," else "with" if _WITH.match(text, start) else "comma"


def results(text: str) -> Iterator[Hit]:
    """Yield the signs after a colon that deny what stands before it ("necrosis: 0%"), or leave it open ("N/A")."""
    for found in _RESULTS.finditer(text):
        start, end = found.span("negative" if found["negative"] else "none")
        yield start, end, "after_negative" if found["negative"] else "after_uncertain"


def _wraps(text: str, begin: int, place: int) -> bool:
    """Return whether the sentence that begins at `begin` goes on after the line break at `place`.

    It does where it could not end there, or where the next line goes on in lower case and case tells: the sentence
    began with a capital, or its line ends with a comma.
    """
    line = text[max(begin, place - _LAST_WORD) : place].rstrip()
    if _BLANK.match(text, place) or line.endswith(":"):
        return False
    if _UNFINISHED.search(line) or _CONTINUING.match(text, place):
        return True
    told = line.endswith(",") or _CAPITAL.match(text, begin)
    return bool(told and _LOWER_CASE.match(text, place))
