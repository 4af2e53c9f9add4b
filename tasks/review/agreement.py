"""How far annotators agree with one another, and how often they are right from the images alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from schemas.records import ReviewEvent
from tasks.review.coefficients import (
    Coefficient,
    Floats,
    cohen,
    cohen_terms,
    estimate,
    fleiss,
    fleiss_terms,
    krippendorff,
    krippendorff_terms,
    share,
    wilson,
)
from tasks.review.decisions import standing_verdicts
from tasks.review.events import payload_of
from tasks.review.items import ReviewItem

ALL = "all"
_DECISIONS = {"accept": 0, "edit": 1, "reject": 2}
Readings = dict[str, dict[str, int]]
"""Item id -> reviewer -> category."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure with its 95% interval; None where it is not defined (all said the same, or nobody read twice)."""

    what: str
    dimension: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    items: int
    readers: str = ""


def decision_readings(events: Sequence[ReviewEvent]) -> Readings:
    """Return the standing verdicts; skipped items are not read."""
    verdicts, _ = standing_verdicts(events)
    readings: Readings = {}
    for item_id, by_reviewer in verdicts.items():
        for reviewer, ruling in by_reviewer.items():
            if ruling.outcome in _DECISIONS:
                readings.setdefault(item_id, {})[reviewer] = _DECISIONS[ruling.outcome]
    return readings


def blind_readings(events: Iterable[ReviewEvent]) -> Readings:
    """Return the blind answers as indices of options; -1 where a reader could not tell."""
    readings: Readings = {}
    for event in events:
        if event.kind == "blind":
            answer = payload_of(event)["answer"]
            readings.setdefault(event.item_id, {})[event.reviewer] = -1 if answer is None else int(answer)
    return readings


def _shifted(readings: Readings) -> Readings:
    return {item: {who: value + 1 for who, value in by.items()} for item, by in readings.items()}


class _Part:
    """The items of one dimension that two readers or more have read."""

    def __init__(self, what: str, dimension: str, readings: Readings, items: Mapping[str, ReviewItem]) -> None:
        self.what, self.dimension = what, dimension
        self.readings = {
            item_id: by
            for item_id, by in sorted(readings.items())
            if len(by) > 1 and item_id in items and dimension in (ALL, items[item_id].dimension)
        }
        self.patients = {item_id: items[item_id].patient_id for item_id in self.readings}
        self.categories = 1 + max((value for by in self.readings.values() for value in by.values()), default=0)

    def _estimate(
        self, measure: str, terms: Floats, coefficient: Coefficient, ids: Sequence[str], readers: str = ""
    ) -> Estimate:
        value, low, high = estimate(terms, coefficient, [self.patients[item_id] for item_id in ids])
        return Estimate(self.what, self.dimension, measure, value, low, high, len(ids), readers)

    def rows(self) -> list[Estimate]:
        """Return Krippendorff over all, Fleiss over items with the usual number of readers, Cohen pair by pair."""
        ids = list(self.readings)
        units = [list(by.values()) for by in self.readings.values()]
        terms = krippendorff_terms(units, self.categories)
        rows = [self._estimate("Krippendorff alpha", terms, krippendorff, ids)]
        if not ids:
            return rows
        usual = Counter(map(len, units)).most_common(1)[0][0]
        alike = [item_id for item_id in ids if len(self.readings[item_id]) == usual]
        chosen = [list(self.readings[item_id].values()) for item_id in alike]
        rows.append(self._estimate("Fleiss kappa", fleiss_terms(chosen, self.categories), fleiss, alike))
        pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for item_id, by in self.readings.items():
            for pair in combinations(sorted(by), 2):
                pairs[pair].append(item_id)
        for (one, two), common in sorted(pairs.items()):
            values = [(self.readings[item_id][one], self.readings[item_id][two]) for item_id in common]
            terms = cohen_terms(values, self.categories)
            rows.append(self._estimate("Cohen kappa", terms, cohen, common, f"{one}, {two}"))
        return rows


def agreement(events: Sequence[ReviewEvent], items: Sequence[ReviewItem]) -> list[Estimate]:
    """Return agreement on decisions and on blind answers, over all items and by dimension."""
    by_id = {item.item_id: item for item in items}
    dimensions = [ALL, *dict.fromkeys(item.dimension for item in items)]
    rows: list[Estimate] = []
    for what, readings in (("decision", decision_readings(events)), ("blind answer", _shifted(blind_readings(events)))):
        for dimension in dimensions:
            rows += _Part(what, dimension, readings, by_id).rows()
    return [row for row in rows if row.items or row.dimension == ALL]


def human_baseline(events: Sequence[ReviewEvent], items: Sequence[ReviewItem]) -> list[dict[str, Any]]:
    """Return blind accuracy by dimension: of audited items (an unbiased sample) and of flagged ones, beside chance.

    An answer "cannot be told" counts as wrong, and its share is given. The key of an item whose standing verdict is to
    reject or edit it may itself be wrong; accuracy is against the key as it was. The interval is the wider of Wilson's
    and the bootstrap over patients.
    """
    by_id = {item.item_id: item for item in items}
    readings = blind_readings(events)
    rows = []
    for dimension in [ALL, *dict.fromkeys(item.dimension for item in items)]:
        for sample in ("audit", "flagged"):
            part = [
                (by_id[item_id], value)
                for item_id, by in sorted(readings.items())
                if item_id in by_id
                for value in by.values()
                if dimension in (ALL, by_id[item_id].dimension) and (sample == "audit") == _audited(by_id[item_id])
            ]
            if part:
                rows.append(_baseline(dimension, sample, part))
    return rows


def _audited(item: ReviewItem) -> bool:
    return all(reason["reader"] == "audit" for reason in item.reasons)


def _baseline(dimension: str, sample: str, part: Sequence[tuple[ReviewItem, int]]) -> dict[str, Any]:
    right = np.array([[float(value == item.key), 1.0] for item, value in part])
    value, *bounds = estimate(right, share, [item.patient_id for item, _ in part])
    score = wilson(int(right[:, 0].sum()), len(part))
    drawn = [bound for bound in bounds if bound is not None]
    return {
        "dimension": dimension,
        "sample": sample,
        "answers": len(part),
        "accuracy": value,
        "low": round(min(score[0], *drawn), 4) if drawn else round(score[0], 4),
        "high": round(max(score[1], *drawn), 4) if drawn else round(score[1], 4),
        "chance": round(float(np.mean([1 / len(item.options) for item, _ in part])), 4),
        "cannot_tell": round(float(np.mean([value < 0 for _, value in part])), 4),
    }
