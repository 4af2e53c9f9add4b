"""The audit: items that people look at although no reader flagged them."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from schemas.ids import digest
from schemas.records import Question

READER, CUE = "audit", "random sample"


def draw_ids(ids: Iterable[str], items: int, seed: int) -> list[str]:
    """Return at most so many of the ids; the draw depends on seed and ids alone: new ids leave old draws in place."""
    return heapq.nsmallest(items, ids, key=lambda item_id: digest("audit", seed, item_id))


def audit_entry(item_id: str, cell: str, options: int) -> dict[str, Any]:
    """Return an entry for the queue in the form of a flagged one: `{item_id, cell, reasons}`."""
    return {"item_id": item_id, "cell": cell, "reasons": [{"reader": READER, "p": round(1 / options, 4), "cue": CUE}]}


def draw_audit(questions: Sequence[Question], flagged: Collection[str], items: int, seed: int) -> list[dict[str, Any]]:
    """Return entries for the queue in the form of flagged ones: `{item_id, cell, reasons}`.

    Flags say where readers suspect a fault; only a random sample says how often there is one where nobody suspects it,
    and only on it is the readers' blind accuracy an unbiased human baseline.

    Args:
        questions: what screening passed on.
        flagged: ids that are in the queue already.
        items: how many to draw, at most.
        seed: which; the draw depends on seed and ids alone, so that new questions leave old draws in place.
    """
    free = {question.question_id: question for question in questions if question.question_id not in flagged}
    drawn = [free[item_id] for item_id in draw_ids(free, items, seed)]
    return [audit_entry(question.question_id, question.cell, len(question.options)) for question in drawn]
