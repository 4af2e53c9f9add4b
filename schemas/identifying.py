"""Text that could identify a patient: names, dates, numbers of cases, contacts, great age.

Rules, not a model: they know the forms in which reports carry identifiers, and err towards finding too much. They
follow the identifiers that HIPAA's Safe Harbor lists (45 CFR 164.514(b)(2)(i)); a name that stands in running text with
no title and no label before it is beyond them, so reports should come de-identified, and this is the net below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_YEAR = r"(?:19|20)\d\d"
_PERSON = r"[A-Z][\w'’-]+(?:[ ,]+(?:[A-Z]\.|[A-Z][\w'’-]+)){0,2}"
_WHO = (
    r"(?:patient(?:'s)?(?: name)?|name|signed(?: out)? by|electronically signed by|dictated by|reported by"
    r"|(?:attending |referring |consulting )?(?:pathologist|physician|surgeon|doctor))"
)
_NUMBER = r"(?:accession|case|specimen|mrn|medical record|patient id|hospital|laboratory|lab|nhs|insurance)"

RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("date", rf"\b{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b"),
        ("date", rf"\b(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|[12]\d|3[01])\1{_YEAR}\b"),
        ("date", r"\b(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])/\d\d\b"),
        ("date", rf"\b{_MONTH} (?:\d{{1,2}}(?:st|nd|rd|th)?,? )?{_YEAR}\b"),
        ("date", rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH},? {_YEAR}\b"),
        ("number of a case", r"\b[A-Z]{1,3}-?\d{2}-\d{3,7}\b"),
        (
            "number of a case",
            rf"(?i:\b{_NUMBER}\s*(?:no\b\.?|number|nr\b\.?|id|#)\s*[:#]?\s*)(?=\w*\d)[A-Za-z0-9-]{{4,}}",
        ),
        ("number of a case", r"\b(?:MRN|DOB|SSN)\s*[:#]\s*\S+"),
        ("social security number", r"\b\d{3}-\d{2}-\d{4}\b"),
        ("name", rf"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof)\.?\s+{_PERSON}"),
        ("name", rf"(?i:\b{_WHO}\s*:\s*){_PERSON}"),
        ("name", rf"\b{_PERSON},\s*(?:M\.?D|D\.?O|Ph\.?D|FRCPath)\b\.?"),
        ("telephone number", r"(?<!\d)(?:\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)"),
        ("address", r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"),
        ("address", r"\b\d{1,5} (?:[A-Z][a-z]+ ){1,3}(?:Street|St\.|Avenue|Ave\.|Road|Rd\.|Lane|Drive|Boulevard)"),
        ("age over 89", r"\b(?:9\d|1[01]\d)[- ]years?[- ]old\b"),
    )
)

WITHOUT_DIGITS = {"name", "address", "number of a case"}
"""Kinds that can stand in a text without any digit."""
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Identifier:
    """A span of text that could identify somebody; the text itself is not kept."""

    kind: str
    start: int
    end: int


def identifiers(text: str) -> list[Identifier]:
    """Return what could identify somebody, in order, without overlaps (the longer of two that begin together)."""
    spans = sorted(_matches(text), key=lambda span: (span.start, -span.end))
    kept: list[Identifier] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _matches(text: str) -> Iterator[Identifier]:
    digits = _DIGIT.search(text) is not None
    for kind, pattern in RULES:
        if digits or kind in WITHOUT_DIGITS:
            for match in pattern.finditer(text):
                yield Identifier(kind, match.start(), match.end())


def mask(text: str) -> str:
    """Return a text with `#` for every letter and digit of what could identify somebody; positions stay as they are.

    What is found only once something else is masked (of two that overlap, the second) is masked too.
    """
    while spans := identifiers(text):
        for span in spans:
            hidden = re.sub(r"\w", "#", text[span.start : span.end])
            text = text[: span.start] + hidden + text[span.end :]
    return text
