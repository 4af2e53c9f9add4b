"""Templates as a language model may reword them: slots become placeholders in brackets, and come back as they were.

An answer is untrusted, and a template is code: nothing but the placeholders that it was given turns back into Jinja2.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from schemas.records.shared import SCALES
from tasks.generation.checked_replies import FOREIGN, PLACES
from tasks.generation.claims import Claims

_SLOT = re.compile(r"\{\{\s*(\w+)[^{}()]*\}\}")
_PLACEHOLDER = re.compile(r"\[(\w+)\]")
_LONGER, _SHORTER, _ROOM = 2.0, 0.4, 24  # of the model's text against ours, without placeholders; characters of grace


def can_be_reworded(source: str) -> bool:
    """Return whether a template has nothing but plain slots."""
    return "{" not in _SLOT.sub("", source)


@dataclass(frozen=True)
class Sentence:
    """A template that is to be said in other words.

    Attributes:
        source: the template (Jinja2).
        claims: reads what a wording claims by itself.
    """

    source: str
    claims: Claims

    @property
    def shown(self) -> str:
        """The template as a model is shown it."""
        return _SLOT.sub(r"[\1]", self.source)

    def template(self, wording: str) -> str:
        """Return an accepted wording as a template."""
        slots = {match.group(1): match.group(0) for match in _SLOT.finditer(self.source)}
        return _PLACEHOLDER.sub(lambda match: slots[match.group(1)], wording)

    def fault(self, wording: str) -> str | None:
        """Return why a wording cannot stand for the template, None where it can."""
        wanted, found = Counter(_PLACEHOLDER.findall(self.shown)), Counter(_PLACEHOLDER.findall(wording))
        if wanted != found:
            return f"placeholders are {sorted(found.elements())}, not {sorted(wanted.elements())}"
        plain, ours = _PLACEHOLDER.sub("", wording), _PLACEHOLDER.sub("", self.shown)
        if FOREIGN.search(plain) or "%" in plain or "\n" in plain:
            return "brackets, braces or lines that were not asked for"
        if not _SHORTER * len(ours) - _ROOM <= len(plain) <= _LONGER * len(ours) + _ROOM:
            return "much longer or shorter than the sentence"
        if set(PLACES.findall(plain.lower())) - set(PLACES.findall(ours.lower())):
            return "speaks of options, letters or positions"
        if _scales(plain) - _scales(ours):
            return "names another magnification"
        return self.claims.fault(plain, {}, frozenset(self.claims.of(ours)))


def _scales(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) & set(SCALES)
