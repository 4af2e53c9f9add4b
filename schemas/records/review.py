"""Records of what annotators did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from schemas.records.shared import doc

EventKind = Literal["open", "blind", "verdict", "adjudicate", "undo"]
Decision = Literal["accept", "edit", "reject", "skip"]


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """One event of the append-only, hash-chained review log."""

    event_id: str = field(metadata=doc("SHA-256 over all other columns, so the chain cannot be rewritten"))
    item_id: str = field(metadata=doc("question, caption, perturbation or sample reviewed"))
    reviewer: str = field(metadata=doc("name of the reviewer; `system` opens items"))
    kind: EventKind = field(metadata=doc("open, blind, verdict, adjudicate or undo"))
    payload: str = field(metadata=doc("canonical JSON: the blind answer, the decision, the edit, the flag's reasons"))
    at: str = field(metadata=doc("UTC time, ISO 8601"))
    duration_s: float | None = field(metadata=doc("seconds the reviewer spent"))
    previous: str = field(metadata=doc("event_id before this one, empty for the first"))
