"""Where a text names a concept: whole words, the longest name, acronyms in their own case, shared heads."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kg.lexicon import Entry, Lexicon

# Whose names share a head in coordination, and what stands before the shared head: a word, then "and", "or" or a comma.
_HEADED = frozenset({"MorphologicFinding", "Neoplasm", "Disease"})
_JOINTS = (" and ", " or ", ", ")
_HALF = re.compile(r"(?<!\w)([a-z]+)\s*(?:,|,?\s+(?:and|or|and or))\s+$")
BY_START = operator.itemgetter(0)


class Meaning(NamedTuple):
    """What a surface form means: its entries, the best first, and what a link says of them."""

    entries: tuple[Entry, ...]
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Meaning:
        """Return the meaning that some entries make up."""
        return cls(tuple(entries), tuple(dict.fromkeys(entry.concept_id for entry in entries)))


Span = tuple[int, int, Meaning]


class Matcher:
    """The lexicon as an automaton over whole words (Aho and Corasick, Commun ACM 1975;18:333-340)."""

    def __init__(self, lexicon: Lexicon) -> None:
        entries = _grouped(lexicon)
        self._forms = _automaton(entries)
        self._shared_head = {
            form: Meaning.of(best)
            for form, every in entries.items()
            if form.count(" ") == 1 and every[0].category in _HEADED and (best := _best(every, ""))
        }

    def spans(self, text: str, folded: str, words: str) -> list[Span]:
        """Return what the text names, in its order; spans do not overlap.

        Args:
            text: the text, for the case of acronyms.
            folded: `forms.fold` of it.
            words: `forms.words_only` of that between two spaces.
        """
        # Forms stand in the automaton between spaces, so that it finds whole words by itself; positions are one on.
        # Of hits with one end the longest comes first, and a hit swallows those that lie within it.
        spans: list[Span] = []
        reach = -1
        for last, (length, meaning, cased) in self._forms.iter(words):
            end = last - 1
            if end == reach:
                continue
            start = last - length
            if words.endswith(" non ", 0, start + 1) and " " in words[start + 1 : last]:
                continue  # "non-invasive ductal carcinoma" is a ductal carcinoma
            if cased is not None:
                best = _best(cased, text[start:end])
                if not best:
                    continue
                meaning = Meaning.of(best)  # noqa: PLW2901
            while spans and spans[-1][0] >= start:
                spans.pop()
            spans.append((start, end, meaning))
            reach = end
        return self._with_coordinated(folded, disjoint(spans))

    def _with_coordinated(self, folded: str, spans: list[Span]) -> list[Span]:
        """Add the halves of shared heads: "vascular" in "vascular and perineural invasion" is vascular invasion."""
        found: list[Span] = []
        for span in spans:
            start, end, _ = span
            if not folded.endswith(_JOINTS, 0, start):
                found.append(span)
                continue
            head = folded[folded.rfind(" ", start, end) + 1 : end]
            added: list[Span] = []
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
    return sorted(chosen, key=BY_START)


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


def _automaton(grouped: Mapping[str, tuple[Entry, ...]]) -> Any:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for form, entries in grouped.items():
        cased = entries if any(entry.cased for entry in entries) else None
        meaning = Meaning.of(_best(entries, "")) if cased is None else None
        automaton.add_word(f" {form} ", (len(form) + 1, meaning, cased))
    automaton.make_automaton()
    return automaton
