"""The annotators' queue: flagged and audited items as `open` events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.ids import digest
from schemas.records import ReviewEvent
from tasks.review.audit import READER
from tasks.review.events import SYSTEM, new_event


def _surest(item: Mapping[str, Any]) -> float:
    return max((float(reason["p"]) for reason in item["reasons"] if reason["reader"] != READER), default=0.0)


def readers_of(item_id: str, second_reader_share: float) -> int:
    """Return how many annotators read an item: two for the share of ids that the digest picks, else one."""
    return 2 if int(digest("second reader", item_id)[:8], 16) < second_reader_share * 2**32 else 1


def open_queue(
    flagged: Sequence[Mapping[str, Any]], *, at: str, previous: str = "", second_reader_share: float = 0.0
) -> list[ReviewEvent]:
    """Return one `open` event per item, the most surely guessed first; equal input gives equal events.

    Audited items come after flagged ones, kinds mixed.

    Args:
        flagged: `{item_id, cell, reasons: [{reader, p, cue}]}` as screening writes it; an item that stands in it twice
            is opened once.
        at: UTC time to write, ISO 8601; given, so that a rerun gives the same bytes.
        previous: event_id that the queue follows, when a log goes on.
        second_reader_share: share of items that two annotators read.

    Raises:
        ReviewError: an entry lacks its reasons or the time is none.
    """
    events: list[ReviewEvent] = []
    opened: set[str] = set()
    for item in sorted(flagged, key=lambda entry: (-_surest(entry), digest(entry["item_id"]))):
        item_id = str(item["item_id"])
        if item_id in opened:
            continue
        opened.add(item_id)
        payload = {
            "cell": str(item.get("cell", "")),
            "reasons": [dict(reason) for reason in item["reasons"]],
            "readers": readers_of(item_id, second_reader_share),
        }
        events.append(new_event(item_id, SYSTEM, "open", payload, at=at, previous=previous))
        previous = events[-1].event_id
    return events
