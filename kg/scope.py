"""Whether a text asserts, denies or leaves open what it mentions; every scope stops at the end of its clause.

Rules of the kind of NegEx (Chapman et al., J Biomed Inform 2001;34:301-310) and ConText (Harkema et al., J Biomed
Inform 2009;42:839-851), with three differences: a clause also ends at a comma or "and" between two finite
verbs; triggers that follow ("is absent", "not identified") count as much as those that precede; and a place
("muscularis propria") is denied only where its own presence is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from kg.triggers import Trigger
from schemas.records.shared import Status

Hit = tuple[int, int, Trigger]
# Categories whose mentions name things that are there, whatever is denied of them.
PLACES = frozenset({"AnatomicSite", "Stain", "Biomarker"})
_CUES = frozenset({"before_negative", "before_uncertain", "after_negative", "after_uncertain", "family"})
_ADJACENT = 2  # characters between a trigger and the place that it denies
_PRESENCE = ("not identified", "not present", "not seen", "absent", "not included", "not sampled", "not found")


class Scopes:
    """The clauses of one text, with the triggers in each.

    Args:
        text: folded text.
        hits: triggers in the order of their start, none overlapping another.
    """

    def __init__(self, text: str, hits: Sequence[Hit]) -> None:
        self._text = text
        hits = _without_synoptic_colons(text, hits)
        self._ends = [start for start, _, kind in hits if kind == "hard"]
        self._clauses: dict[int, list[Hit]] = {}
        for hit in hits:
            if hit[2] != "hard":
                self._clauses.setdefault(bisect_right(self._ends, hit[0]), []).append(hit)
        self._segments: dict[int, list[int]] = {}

    def status(self, start: int, end: int, category: str) -> Status:
        """Return the status of the mention at [start, end)."""
        clause = bisect_right(self._ends, start)
        hits = self._clauses.get(clause)
        if not hits or not any(kind in _CUES for _, _, kind in hits):
            return "present"
        if any(kind == "family" and place < start for place, _, kind in hits):
            return "uncertain"
        first, last = self._segment(clause, hits, start)
        near = [hit for hit in hits if first <= hit[0] < last and (hit[1] <= start or hit[0] >= end)]
        if category in PLACES:
            return self._place(near, start, end)
        return _before(self._text, near, start) or _after(near, end) or "present"

    def _segment(self, clause: int, hits: list[Hit], start: int) -> tuple[int, int]:
        if clause not in self._segments:
            self._segments[clause] = [-1, *_cuts(hits), len(self._text) + 1]
        cuts = self._segments[clause]
        place = bisect_right(cuts, start)
        return cuts[place - 1], cuts[place]

    def _place(self, hits: list[Hit], start: int, end: int) -> Status:
        for place, stop, kind in hits:
            if (
                kind == "before_negative"
                and 0 <= start - stop <= _ADJACENT
                and self._text[place:stop] in ("no", "absent")
            ):
                return "absent"
            denied = kind == "after_negative" and self._text[place:stop].endswith(_PRESENCE)
            if denied and place >= end and not any(end <= hit[0] < place and hit[2] == "verb" for hit in hits[:-1]):
                return "absent" if place - end <= len(" is ") else "present"
        return "present"


def _without_synoptic_colons(text: str, hits: Sequence[Hit]) -> list[Hit]:
    """Return the triggers without colons that a verdict follows at once: "necrosis: not identified" is one clause."""
    kept = []
    for index, hit in enumerate(hits):
        following = hits[index + 1] if index + 1 < len(hits) else None
        verdict = following is not None and following[2].startswith("after") and following[0] - hit[1] <= 1
        if not (verdict and text[hit[0]] == ":"):
            kept.append(hit)
    return kept


def _cuts(hits: list[Hit]) -> list[int]:
    """Return where commas and `and` end a clause: finite verbs on both sides, or a verbless denial before a comma."""
    cuts: list[int] = []
    last = -1
    for index, (start, _, kind) in enumerate(hits):
        if kind == "with" and any(other[2] == "before_negative" for other in hits[:index]):
            cuts.append(start)
            last = index
            continue
        if kind not in ("comma", "and", "with"):
            continue
        left = {other[2] for other in hits[last + 1 : index]}
        right = [other[2] for other in hits[index + 1 :]]
        has_verb = bool(left & {"verb", "after_present", "after_negative", "after_uncertain"})
        verbless_denial = not has_verb and kind == "comma" and "before_negative" in left
        through = {"and", "or", "comma"} if has_verb else set()
        if (has_verb or verbless_denial) and _verb_follows(right, through=through):
            cuts.append(start)
            last = index
    return cuts


def _verb_follows(kinds: list[Trigger], through: set[str]) -> bool:
    for kind in kinds:
        if kind in ("verb", "after_present", "after_negative", "after_uncertain", "before_negative"):
            return kind != "before_negative" or "or" in through
        if kind in ("or", "and", "comma") and kind not in through:
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


def _after(hits: list[Hit], end: int) -> Status | None:
    for start, _, kind in hits:
        if start < end:
            continue
        if kind == "after_present":
            return "present"
        if kind == "after_negative":
            return "absent"
        if kind == "after_uncertain":
            return "uncertain"
    return None
