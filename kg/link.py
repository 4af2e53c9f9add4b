"""Text to concepts: where each is mentioned, what it can mean, and whether it is present, absent or uncertain."""

from __future__ import annotations

import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kg.forms import fold, words_only
from kg.lexicon import Entry, Lexicon
from kg.scope import Hit, Scopes
from kg.triggers import Trigger, phrases
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
_JOINTS = (" and ", " or ", ", ")
_HALF = re.compile(r"(?<!\w)([a-z]+)\s*(?:,|,?\s+(?:and|or|and or))\s+$")
_MARKS = re.compile(r"[;:?!\n,]|\.(?=\s|$)")
_WITH = re.compile(r",\s+with\b")
_BY_START = operator.itemgetter(0)


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


class _Meaning(NamedTuple):
    """What a surface form means: its entries, the best first, and what a link says of them."""

    entries: tuple[Entry, ...]
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> _Meaning:
        return cls(tuple(entries), tuple(dict.fromkeys(entry.concept_id for entry in entries)))


_Span = tuple[int, int, _Meaning]


class Linker:
    """Finds the concepts of a lexicon in text: whole words only, the longest name wins, acronyms in their own case."""

    def __init__(self, lexicon: Lexicon) -> None:
        entries = _grouped(lexicon)
        self._forms = _form_automaton(entries)
        self._triggers = _trigger_automaton()
        self._shared_head = {
            form: _Meaning.of(best)
            for form, every in entries.items()
            if form.count(" ") == 1 and every[0].category in _HEADED and (best := _best(every, ""))
        }

    def link(self, text: str, *, section: str | None = None) -> list[Link]:
        """Return the concepts that a text mentions, in the order of the text; spans do not overlap.

        Args:
            text: what to read.
            section: title of the section, where known: it orders candidates, and in "family history" nothing is said
                of the patient, so that every mention is uncertain.
        """
        folded = fold(text)
        words = f" {words_only(folded)} "
        spans = self._scan(text, folded, words)
        if not spans:
            return []
        scopes = Scopes(folded, _outside(self._cues(folded, words), spans))
        prior = _prior(section)
        family = section is not None and "family" in section.lower()
        links = []
        for start, end, found in spans:
            meaning = _Meaning.of(sorted(found.entries, key=prior)) if prior and len(found.entries) > 1 else found
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
        found = self._scan(text, folded, f" {words_only(folded)} ")
        return [(start, end, meaning.candidates) for start, end, meaning in found]

    def _scan(self, text: str, folded: str, words: str) -> list[_Span]:
        # Forms stand in the automaton between spaces, so that it finds whole words by itself; positions are one on.
        # Of hits with one end the longest comes first, and a hit swallows those that lie within it.
        spans: list[_Span] = []
        reach = -1
        for last, (length, meaning, cased) in self._forms.iter(words):
            end = last - 1
            if end == reach:
                continue
            start = last - length
            if cased is not None:
                best = _best(cased, text[start:end])
                if not best:
                    continue
                meaning = _Meaning.of(best)  # noqa: PLW2901
            while spans and spans[-1][0] >= start:
                spans.pop()
            spans.append((start, end, meaning))
            reach = end
        return self._with_coordinated(folded, disjoint(spans))

    def _cues(self, folded: str, words: str) -> list[Hit]:
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
        return _with_punctuation(folded, disjoint(hits))

    def _with_coordinated(self, folded: str, spans: list[_Span]) -> list[_Span]:
        """Add the halves of shared heads: "vascular" in "vascular and perineural invasion" is vascular invasion."""
        found: list[_Span] = []
        for span in spans:
            start, end, _ = span
            if not folded.endswith(_JOINTS, 0, start):
                found.append(span)
                continue
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


def disjoint(spans: list[tuple[int, int, Any]]) -> list[tuple[int, int, Any]]:
    """Return spans of which none overlaps another, preferring longer ones, then earlier ones.

    Args:
        spans: (start, end, payload) with both starts and ends growing.
    """
    kept: list[tuple[int, int, Any]] = []
    group: list[tuple[int, int, Any]] = []
    for span in spans:
        if group and span[0] >= group[-1][1]:
            kept += group if len(group) == 1 else _resolve(group)
            group = [span]
        else:
            group.append(span)
    return kept + (group if len(group) < 2 else _resolve(group))


def _resolve(group: list[tuple[int, int, Any]]) -> list[tuple[int, int, Any]]:
    chosen: list[tuple[int, int, Any]] = []
    for span in sorted(group, key=lambda span: (span[0] - span[1], span[0])):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in chosen):
            chosen.append(span)
    return sorted(chosen, key=_BY_START)


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


def _grouped(lexicon: Lexicon) -> dict[str, tuple[Entry, ...]]:
    grouped: dict[str, list[Entry]] = {}
    for entry in lexicon.entries:
        grouped.setdefault(entry.form, []).append(entry)
    return {form: tuple(entries) for form, entries in grouped.items()}


def _best(entries: tuple[Entry, ...], surface: str) -> tuple[Entry, ...]:
    """Return the meanings of the strongest tier: a preferred label outranks synonyms, and those outrank loose ones.

    Acronyms count only where the text has their very spelling.
    """
    fitting = [entry for entry in entries if not entry.cased or entry.cased == surface]
    if not fitting:
        return ()
    tier = min(entry.kind for entry in fitting) // 2
    return tuple([entry for entry in fitting if entry.kind // 2 == tier])


def _form_automaton(grouped: Mapping[str, tuple[Entry, ...]]) -> Any:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for form, entries in grouped.items():
        cased = entries if any(entry.cased for entry in entries) else None
        meaning = _Meaning.of(_best(entries, "")) if cased is None else None
        automaton.add_word(f" {form} ", (len(form) + 1, meaning, cased))
    automaton.make_automaton()
    return automaton


def _trigger_automaton() -> Any:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for form, kind in phrases().items():
        automaton.add_word(f" {form} ", (len(form) + 1, kind))
    automaton.make_automaton()
    return automaton


def _with_punctuation(folded: str, hits: list[Hit]) -> list[Hit]:
    """Return the triggers with the marks that end a clause or may end one, in the order of the text."""
    marks: list[Hit] = []
    for mark in _MARKS.finditer(folded):
        after = _WITH.match(folded, mark.start())
        kind: Trigger = "hard" if mark[0] != "," else "with" if after else "comma"
        marks.append((mark.start(), mark.end(), kind))
    return sorted([*hits, *marks], key=_BY_START)
