"""Text to concepts: where each is mentioned, what it can mean, and whether it is present, absent or uncertain."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kg.forms import fold, words_only
from kg.lexicon import Entry, Lexicon
from kg.match import BY_START, Matcher, Meaning, Span, disjoint
from kg.punctuation import marks, results
from kg.scope import Hit, Scopes
from kg.triggers import phrases
from schemas.records.shared import Status

__all__ = ["Lexicon", "Link", "Linker"]

# What a section speaks of first, where a form means several things.
_SECTION_PRIOR: Mapping[str, tuple[str, ...]] = {
    "diagnosis": ("Neoplasm", "Disease", "StageGrade", "MorphologicFinding"),
    "microscopic": ("MorphologicFinding", "AbnormalCell", "CellType", "AnatomicSite"),
    "gross": ("AnatomicSite", "MorphologicFinding"),
    "immunohistochemistry": ("Biomarker", "Stain"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """One concept mentioned in a text.

    Attributes:
        start: first character of the span.
        end: one past its last character.
        surface: text of the span.
        concept_id: CURIE of the best candidate.
        label: its preferred label.
        candidates: CURIEs of all candidates, the best first; more than one is an ambiguity left to the reader.
        category: category of the best candidate.
        status: what the text says of it.
    """

    start: int
    end: int
    surface: str
    concept_id: str
    label: str
    candidates: tuple[str, ...]
    category: str
    status: Status


class Linker:
    """Finds the concepts of a lexicon in text: whole words only, the longest name wins, acronyms in their own case."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._matcher = Matcher(lexicon)
        self._triggers = _trigger_automaton()

    def link(self, text: str, *, section: str | None = None) -> list[Link]:
        """Return the concepts that a text mentions, in the order of the text; spans do not overlap.

        Args:
            text: what to read.
            section: title of the section, where known: it orders candidates, and in "family history" nothing is said
                of the patient, so that every mention is uncertain.
        """
        folded = fold(text)
        words = f" {words_only(folded)} "
        spans = self._matcher.spans(text, folded, words)
        if not spans:
            return []
        scopes = Scopes(folded, _outside(folded, self._cues(text, words), spans))
        prior = _prior(section)
        family = section is not None and "family" in section.lower()
        links = []
        for start, end, found in spans:
            meaning = Meaning.of(sorted(found.entries, key=prior)) if prior and len(found.entries) > 1 else found
            best = meaning.entries[0]
            status: Status = "uncertain" if family else "present"
            if not family:
                status = scopes.status(start, end, best.category)
            surface = text[start:end]
            links.append(
                Link(start, end, surface, best.concept_id, best.label, meaning.candidates, best.category, status)
            )
        return links

    def spans(self, text: str) -> list[tuple[int, int, tuple[str, ...]]]:
        """Return (start, end, candidates) of what `link` would link, without status: what the matcher alone costs."""
        folded = fold(text)
        found = self._matcher.spans(text, folded, f" {words_only(folded)} ")
        return [(start, end, meaning.candidates) for start, end, meaning in found]

    def _cues(self, text: str, words: str) -> list[Hit]:
        hits: list[Hit] = []
        reach = -1
        for last, (length, kind) in self._triggers.iter(words):
            end = last - 1
            if end == reach:
                continue
            start = last - length
            while hits and hits[-1][0] >= start:
                hits.pop()
            hits.append((start, end, kind))
            reach = end
        return sorted([*disjoint(hits), *marks(text), *results(text)], key=BY_START)


def _outside(folded: str, hits: list[Hit], spans: list[Span]) -> list[Hit]:
    """Return the triggers that are no part of a name, and no result of a stain or marker.

    "Absent nucleoli" denies nothing beside it, and "ER: negative" says nothing of the tumour.
    """
    starts = [span[0] for span in spans]
    kept = []
    for hit in hits:
        place = bisect_right(starts, hit[0]) - 1
        result = hit[0] - spans[place][1] <= len(": ") and folded.endswith("negative", hit[0], hit[1])
        if place < 0 or (spans[place][1] < hit[1] and not (result and _is_marker(spans[place]))):
            kept.append(hit)
    return kept


def _is_marker(span: Span) -> bool:
    return span[2].entries[0].category in ("Biomarker", "Stain")


def _prior(section: str | None) -> Callable[[Entry], int] | None:
    if section is None:
        return None
    title = section.lower()
    order = next((order for name, order in _SECTION_PRIOR.items() if name in title), None)
    if order is None:
        return None
    rank = {category: place for place, category in enumerate(order)}
    return lambda entry: rank.get(entry.category, len(rank))


def _trigger_automaton() -> Any:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for form, kind in phrases().items():
        automaton.add_word(f" {form} ", (len(form) + 1, kind))
    automaton.make_automaton()
    return automaton
