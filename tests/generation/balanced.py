"""What holds of counterbalanced questions, told by counting."""

from __future__ import annotations

import collections
from typing import Any

from schemas.records import Question

SPLITS = {"p0": "train", "p1": "train", "p2": "train", "p3": "val", "p4": "test", "p5": "test"}


def unequal(rows: list[Question], *parts: str) -> list[tuple[Any, ...]]:
    """Return the groups, by these parts of a question, in which an option is the key more often than another."""
    groups: dict[tuple[Any, ...], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in rows:
        if row.option_set_id:
            groups[tuple(getattr(row, part) for part in parts)][row.options[row.answer_index]] += 1
    return [key for key, counts in groups.items() if len(counts) != 4 or len(set(counts.values())) > 1]
