"""The audit: questions that people look at although no reader flagged them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from schemas.ids import digest
from schemas.records import Question

READER, CUE = "audit", "random sample"


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
    free = [question for question in questions if question.question_id not in flagged]
    drawn = sorted(free, key=lambda question: digest("audit", seed, question.question_id))[:items]
    return [
        {
            "item_id": question.question_id,
            "cell": question.cell,
            "reasons": [{"reader": READER, "p": round(1 / len(question.options), 4), "cue": CUE}],
        }
        for question in drawn
    ]
