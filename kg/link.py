"""Text to concepts: where each is mentioned, what it can mean, and whether it is present, absent or uncertain."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kg.forms import fold
from kg.lexicon import Entry, Lexicon
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
# Whose names share a head in coordination, and what stands before the shared head: a word, then "and", "or" or a comma.
_HEADED = frozenset({"MorphologicFinding", "Neoplasm", "Disease"})
_HALF = re.compile(r"(?<!\w)([a-z]+)\s*(?:,|,?\s+(?:and|or|and or))\s+$")
_Meanings = tuple[Entry, ...]
_Span = tuple[int, int, _Meanings]


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
        meanings = _meanings(lexicon)
        self._automaton = _automaton(meanings)
        self._shared_head = {
            form: _best(entries, "")
            for form, entries in meanings.items()
            if form.count(" ") == 1 and entries[0].category in _HEADED and _best(entries, "")
        }

    def link(self, text: str, *, section: str | None = None) -> list[Link]:
        """Return the concepts that a text mentions, in the order of the text; spans do not overlap.

        Args:
            text: what to read.
            section: title of the section, where known: it orders candidates, and in "family history" nothing is said
                of the patient, so that every mention is uncertain.
        """
        folded = fold(text)
        spans, hits = self._scan(text, folded)
        if not spans:
            return []
        scopes = Scopes(folded, _outside(hits, spans))
        prior = _prior(section)
        family = section is not None and "family" in section.lower()
        links = []
        for start, end, meanings in spans:
            chosen = sorted(meanings, key=prior) if prior and len(meanings) > 1 else meanings
            best = chosen[0]
            status: Status = "uncertain" if family else scopes.status(start, end, best.category)
            candidates = tuple(dict.fromkeys([entry.concept_id for entry in chosen]))
            surface = text[start:end]
            links.append(Link(start, end, surface, best.concept_id, best.label, candidates, best.category, status))
        return links

    def spans(self, text: str) -> list[tuple[int, int, _Meanings]]:
        """Return the spans that `link` would link, with every meaning of each, without status."""
        return self._scan(text, fold(text))[0]

    def _scan(self, text: str, folded: str) -> tuple[list[_Span], list[Hit]]:
        spans: list[_Span] = []
        hits: list[Hit] = []
        padded = folded + " "
        for last, (length, meanings, trigger, cased) in self._automaton.iter(folded):
            start = last + 1 - length
            if trigger is not None and not padded[start].isalnum():
                if padded[last + 1].isspace() or padded[start] not in ".:":
                    hits.append((start, last + 1, trigger))
                continue
            if padded[last + 1].isalnum() or padded[start - 1].isalnum():
                continue
            chosen = _best(meanings, text[start : last + 1]) if cased else meanings
            if chosen:
                spans.append((start, last + 1, chosen))
            if trigger is not None:
                hits.append((start, last + 1, trigger))
        return self._with_coordinated(folded, longest(spans)), longest(hits)

    def _with_coordinated(self, folded: str, spans: list[_Span]) -> list[_Span]:
        """Add the halves of shared heads: "vascular" in "vascular and perineural invasion" is vascular invasion."""
        found: list[_Span] = []
        for span in spans:
            start, end, _ = span
            head = folded[folded.rfind(" ", start, end) + 1 : end]
            added: list[_Span] = []
            edge = found[-1][1] if found else 0
            while len(head) < end - start and (half := _HALF.search(folded, edge, start)):
                meanings = self._shared_head.get(f"{half[1]} {head}")
                if not meanings:
                    break
                added.append((half.start(1), half.end(1), meanings))
                start = half.start(1)
            found += [*reversed(added), span]
        return found


def longest(spans: list[tuple[int, int, Any]]) -> list[tuple[int, int, Any]]:
    """Return spans of which none overlaps another, preferring longer ones, then earlier ones; in the order of the text.

    Args:
        spans: (start, end, payload), ordered by end as the automaton finds them.
    """
    kept: list[tuple[int, int, Any]] = []
    group: list[tuple[int, int, Any]] = []
    reach = -1
    for span in sorted(spans, key=_by_start):
        if span[0] >= reach:
            if group:
                kept += group if len(group) == 1 else _resolve(group)
            group = [span]
        else:
            group.append(span)
        reach = max(reach, span[1])
    return kept + (_resolve(group) if group else [])


def _by_start(span: tuple[int, int, Any]) -> int:
    return span[0]


def _resolve(group: list[tuple[int, int, Any]]) -> list[tuple[int, int, Any]]:
    chosen: list[tuple[int, int, Any]] = []
    for span in sorted(group, key=lambda span: (span[0] - span[1], span[0])):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in chosen):
            chosen.append(span)
    return sorted(chosen, key=_by_start)


def _outside(hits: list[Hit], spans: list[_Span]) -> list[Hit]:
    """Return the triggers that are no part of a name ("absent nucleoli" denies nothing beside it)."""
    starts = [span[0] for span in spans]
    kept = []
    for hit in hits:
        place = bisect_right(starts, hit[0]) - 1
        if place < 0 or spans[place][1] < hit[1]:
            kept.append(hit)
    return kept


def _prior(section: str | None) -> Callable[[Entry], tuple[int, int]] | None:
    if section is None:
        return None
    title = section.lower()
    order = next((order for name, order in _SECTION_PRIOR.items() if name in title), None)
    if order is None:
        return None
    rank = {category: place for place, category in enumerate(order)}
    return lambda entry: (min(entry.kind, 4) // 4, rank.get(entry.category, len(rank)))


def _meanings(lexicon: Lexicon) -> dict[str, _Meanings]:
    grouped: dict[str, list[Entry]] = {}
    for entry in lexicon.entries:
        grouped.setdefault(entry.form, []).append(entry)
    return {form: tuple(entries) for form, entries in grouped.items()}


def _best(entries: _Meanings, surface: str) -> _Meanings:
    """Return the meanings of the strongest tier: a preferred label outranks synonyms, and those outrank loose ones.

    Acronyms count only where the text has their very spelling.
    """
    fitting = [entry for entry in entries if not entry.cased or entry.cased == surface]
    if not fitting:
        return ()
    tier = min(entry.kind for entry in fitting) // 2
    return tuple([entry for entry in fitting if entry.kind // 2 == tier])


def _automaton(meanings: Mapping[str, _Meanings]) -> Any:
    import ahocorasick

    triggers = phrases()
    automaton = ahocorasick.Automaton()
    for form in {**meanings, **triggers}:
        entries = meanings.get(form, ())
        cased = any(entry.cased for entry in entries)
        automaton.add_word(form, (len(form), entries if cased else _best(entries, ""), triggers.get(form), cased))
    automaton.make_automaton()
    return automaton
