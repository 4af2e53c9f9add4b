"""The annotators' queue: flagged items as `open` events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.records import ReviewEvent
from tasks.review.events import SYSTEM, new_event


def _surest(item: Mapping[str, Any]) -> float:
    return max((float(reason["p"]) for reason in item["reasons"]), default=0.0)


def open_queue(flagged: Sequence[Mapping[str, Any]], *, at: str, previous: str = "") -> list[ReviewEvent]:
    """Return one `open` event per flagged item, the most surely guessed first; equal input gives equal events.

    Args:
        flagged: `{item_id, cell, reasons: [{reader, p, cue}]}` as screening writes it; an item that stands in it twice
            is opened once.
        at: UTC time to write, ISO 8601; given, so that a rerun gives the same bytes.
        previous: event_id that the queue follows, when a log goes on.

    Raises:
        ReviewError: an entry lacks its reasons or the time is none.
    """
    events: list[ReviewEvent] = []
    opened: set[str] = set()
    for item in sorted(flagged, key=lambda entry: (-_surest(entry), str(entry["item_id"]))):
        item_id = str(item["item_id"])
        if item_id in opened:
            continue
        opened.add(item_id)
        payload = {"cell": str(item.get("cell", "")), "reasons": [dict(reason) for reason in item["reasons"]]}
        events.append(new_event(item_id, SYSTEM, "open", payload, at=at, previous=previous))
        previous = events[-1].event_id
    return events
