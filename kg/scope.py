"""Whether a text asserts, denies or leaves open what it mentions; every scope stops at the end of its clause.

Rules of the kind of NegEx (Chapman et al., J Biomed Inform 2001;34:301-310) and ConText (Harkema et al., J Biomed
Inform 2009;42:839-851), with three differences: a clause also ends at a comma or "and" between two finite
verbs, and at a comma between a denial and a state ("no mitoses, necrosis focal"); triggers that follow ("is absent",
"not identified") count as much as those that precede; and a place ("muscularis propria") is denied only where its own
presence is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from kg.triggers import Trigger
from schemas.records.shared import Status

Hit = tuple[int, int, Trigger]
# Categories whose mentions name things that are there, whatever is denied of them.
PLACES = frozenset({"AnatomicSite", "Stain", "Biomarker"})
# Categories of what a line asserts before it lists findings with their own verdicts: "melanoma, ulceration absent".
_DIAGNOSES = frozenset({"Neoplasm", "Disease"})
_FINITE = frozenset(
    {"is", "are", "was", "were", "does", "did", "do", "fails", "failed", "fail", "lacks", "denies", "denied"}
)
_FINITE_DOUBT = frozenset(
    {"suggest", "suggests", "suggested", "favor", "favors", "favour", "favours", "may", "might", "could", "cannot"}
    | {"raise", "raises"}
)
_COPULA = ("is", "are", "was", "were")
_CUES = frozenset({"before_negative", "before_uncertain", "after_negative", "after_uncertain", "family"})
_JOINTS = ("and", "or", "comma")
_AFTER: Mapping[Trigger, Status] = {
    "after_present": "present",
    "after_negative": "absent",
    "after_uncertain": "uncertain",
}
_NO = ("no", "absent")  # what denies a place that follows it at once
_WORD = re.compile(r"\w")
# What may follow a state that is said of what precedes it, as "focal" in "necrosis focal" and not in "focal necrosis".
_PREDICATIVE = re.compile(r"\s*(?:$|[^\w\s]|(?:in|at|within|near|on|along|around|throughout|and)\b)")
_PRESENCE = ("not identified", "not present", "not seen", "absent", "not included", "not sampled", "not found")


class Scopes:
    """The clauses of one text, with the triggers in each.

    Args:
        text: folded text.
        hits: triggers in the order of their start, none overlapping another.
    """

    def __init__(self, text: str, hits: Sequence[Hit]) -> None:
        self._text = text
        hits = _synoptic(text, hits)
        self._ends = [start for start, _, kind in hits if kind == "hard"]
        self._clauses: dict[int, list[Hit]] = {}
        for hit in hits:
            if hit[2] != "hard":
                self._clauses.setdefault(bisect_right(self._ends, hit[0]), []).append(hit)
        self._doubtful = {clause for clause, own in self._clauses.items() if any(hit[2] in _CUES for hit in own)}
        self._segments: dict[int, list[int]] = {}

    def status(self, start: int, end: int, category: str) -> Status:
        """Return the status of the mention at [start, end)."""
        clause = bisect_right(self._ends, start)
        if clause not in self._doubtful:
            return "present"
        hits = self._clauses[clause]
        if any(kind == "family" and place < start for place, _, kind in hits):
            return "uncertain"
        first, last = self._segment(clause, hits, start)
        near = [hit for hit in hits if first <= hit[0] < last and (hit[1] <= start or hit[0] >= end)]
        if category in PLACES:
            return self._place(near, start, end)
        return _before(self._text, near, start) or _after(self._text, near, end, category) or "present"

    def _segment(self, clause: int, hits: list[Hit], start: int) -> tuple[int, int]:
        if clause not in self._segments:
            self._segments[clause] = [-1, *_cuts(self._text, hits), len(self._text) + 1]
        cuts = self._segments[clause]
        place = bisect_right(cuts, start)
        return cuts[place - 1], cuts[place]

    def _place(self, hits: list[Hit], start: int, end: int) -> Status:
        for place, stop, kind in hits:
            words = self._text[place:stop]
            if kind == "before_negative" and 0 <= start - stop <= 1 and words in _NO:
                return "absent"
            if kind == "after_negative" and 0 <= place - end <= len(" were ") and words.endswith(_PRESENCE):
                return "absent"
        return "present"


def _synoptic(text: str, hits: Sequence[Hit]) -> list[Hit]:
    """Return the triggers with a verdict and what it is of as one clause, whichever stands first.

    After "necrosis: not identified" and "necrosis: no" the verdict denies what precedes, in "not identified: necrosis"
    and "negative for: necrosis" what follows.
    """
    kept: list[Hit] = []
    for hit in hits:
        start, end, kind = hit
        if kept and text[start:end] == ":" and start - kept[-1][1] <= 1 and (heading := _heading(text, kept)):
            kept[-1] = heading
            continue
        colon = kept and text[kept[-1][0] : kept[-1][1]] == ":" and not text[kept[-1][1] : start].strip(" \t")
        if colon and kind == "before_negative" and not text[end : end + 2].strip(" .,;\n"):
            kind = "after_negative"
        if colon and kind.startswith("after"):
            kept.pop()
        kept.append((start, end, kind))
    return kept


def _heading(text: str, hits: list[Hit]) -> Hit | None:
    """Return the last trigger as one of what follows it, where it can head a list."""
    start, end, kind = hits[-1]
    before = hits[-2] if len(hits) > 1 else (0, 0, "hard")
    first = before[2] == "hard" and not _WORD.search(text, before[1], start)
    if kind in ("before_negative", "before_uncertain") and (first or " " in text[start:end]):
        return hits[-1]
    if kind in ("after_negative", "after_uncertain") and first:
        return start, end, "before_negative" if kind == "after_negative" else "before_uncertain"
    return None


def _cuts(text: str, hits: list[Hit]) -> list[int]:
    """Return where commas and `and` end a clause: finite verbs on both sides, or a verbless denial before a comma."""
    cuts: list[int] = []
    verbs = [_has_verb(text, hit) for hit in hits]
    last = -1
    for index, (start, _, kind) in enumerate(hits):
        left = hits[last + 1 : index]
        denied = any(other[2] == "before_negative" for other in left)
        if kind == "with":
            cut = denied
        elif kind not in ("comma", "and"):
            continue
        elif any(verbs[last + 1 : index]):
            cut = _clause_follows(hits, verbs, index + 1, through=_JOINTS)
        else:
            cut = kind == "comma" and denied and _clause_follows(hits, verbs, index + 1, through=())
        cut = cut or (kind == "comma" and denied and _state_follows(text, hits, index))
        if cut:
            cuts.append(start)
            last = index
    return cuts


def _has_verb(text: str, hit: Hit) -> bool:
    start, end, kind = hit
    if kind in ("verb", "after_present", "after_negative", "after_uncertain"):
        return True
    first = text[start:end].partition(" ")[0]
    if kind == "before_uncertain":  # "suggests", "is suspicious for"
        return first in _FINITE_DOUBT or text[:start].endswith(tuple(f" {verb} " for verb in _COPULA))
    return kind == "before_negative" and first in _FINITE


def _clause_follows(hits: list[Hit], verbs: list[bool], index: int, through: tuple[str, ...]) -> bool:
    """Return whether a finite verb, or a fresh denial, comes before anything that would make this a list."""
    for hit, verb in zip(hits[index:], verbs[index:], strict=True):
        if verb:
            return True
        if hit[2] == "before_negative":
            return bool(through)
        if hit[2] in _JOINTS and hit[2] not in through:
            return False
    return False


def _state_follows(text: str, hits: list[Hit], comma: int) -> bool:
    """Return whether what stands after a comma has a state of its own ("keratin pearls present") and is no list."""
    joints = [kind for _, _, kind in hits[:comma] if kind in (*_JOINTS, "before_negative")]
    if joints and joints[-1] == "comma":
        return False
    for start, end, kind in hits[comma + 1 :]:
        if kind == "state" and start - hits[comma][1] > 1 and _PREDICATIVE.match(text, end):
            return True
        if kind in (*_JOINTS, "with", "before_negative"):
            return False
    return False


def _before(text: str, hits: list[Hit], start: int) -> Status | None:
    cues = [
        hit
        for hit in hits
        if hit[1] <= start
        and hit[2] in ("before_negative", "before_uncertain")
        and (text[hit[0] : hit[1]] != "non" or start - hit[1] <= 1)  # "non-" denies one word
    ]
    if not cues:
        return None
    nearest = cues[-1]
    if nearest[2] == "before_negative":
        return "absent"
    denied = len(cues) > 1 and cues[-2][2] == "before_negative" and nearest[0] - cues[-2][1] <= len(" definitely ")
    return "absent" if denied else "uncertain"


def _after(text: str, hits: list[Hit], end: int, category: str) -> Status | None:
    comma = None
    for start, stop, kind in hits:
        if start < end:
            continue
        if kind == "comma":
            comma = stop
        elif kind in _AFTER:
            own = comma is not None and start - comma > 1 and _is_verbless(text, start, stop)
            return None if own and category in _DIAGNOSES else _AFTER[kind]
    return None


def _is_verbless(text: str, start: int, stop: int) -> bool:
    first = text[start:stop].partition(" ")[0]
    return text[max(start - 3, 0) : start].rstrip().endswith(":") or first not in (*_COPULA, *_FINITE_DOUBT)
