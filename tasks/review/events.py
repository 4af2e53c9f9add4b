"""Review events: append-only, hash-chained, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from schemas.errors import ReviewError
from schemas.ids import canonical_json, digest
from schemas.json_lines import json_lines
from schemas.records import ReviewEvent
from schemas.records.review import EventKind
from tasks.review.payloads import check_payload

SYSTEM = "system"
_FIELDS = {column.name for column in fields(ReviewEvent)}
_RESTORE = "restore the log from where it was written; events are only ever appended"


def event_hash(event: ReviewEvent) -> str:
    """Return the SHA-256 over all columns but `event_id`."""
    return digest({name: value for name, value in asdict(event).items() if name != "event_id"})


def _check_time(at: str, where: str) -> None:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() != timedelta(0):
        raise ReviewError(f"{where}: {at!r} is no UTC time", remedy="write ISO 8601, e.g. 2026-01-31T12:00:00Z")


def now() -> str:
    """Return the present UTC time as events carry it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def new_event(
    item_id: str,
    reviewer: str,
    kind: EventKind,
    payload: Mapping[str, Any],
    *,
    at: str,
    previous: str,
    duration_s: float | None = None,
) -> ReviewEvent:
    """Return an event that follows the event `previous` (empty for the first).

    Args:
        item_id: what is reviewed.
        reviewer: who did it; `system` opens items.
        kind: open, blind, verdict, adjudicate or undo.
        payload: see `tasks.review.payloads`.
        at: UTC time, ISO 8601.
        previous: event_id of the last event of the log.
        duration_s: seconds that the reviewer spent.

    Raises:
        ReviewError: the time or the payload is not as the kind demands, or a name is empty.
    """
    where = f"{kind} of {item_id}"
    if not item_id or not reviewer:
        raise ReviewError(f"{where}: item or reviewer is empty", remedy="name both")
    _check_time(at, where)
    check_payload(kind, payload, where)
    event = ReviewEvent(
        event_id="",
        item_id=item_id,
        reviewer=reviewer,
        kind=kind,
        payload=canonical_json(payload),
        at=at,
        duration_s=None if duration_s is None else float(duration_s),
        previous=previous,
    )
    return ReviewEvent(**{**asdict(event), "event_id": event_hash(event)})


def verify_chain(events: Sequence[ReviewEvent], *, previous: str | None = None) -> None:
    """Check that nothing in a log was changed, removed or put in, and that the protocol was kept.

    A verdict needs an earlier blind answer of the same reviewer on the same item; who has settled an item knows its key
    and answers it no more; an undo takes back an own event that is in the log and was not taken back before.

    Args:
        events: the log, oldest first.
        previous: event_id that the first event must follow; None accepts any, so that a part of a log can be checked.

    Raises:
        ReviewError: the first event that is wrong, and why.
    """
    answered: set[tuple[str, str]] = set()
    settled: set[tuple[str, str]] = set()
    open_to_undo: dict[str, ReviewEvent] = {}
    for number, event in enumerate(events, start=1):
        where = f"review event {number} ({event.kind} of {event.item_id})"
        if event_hash(event) != event.event_id:
            raise ReviewError(f"{where} was changed: its hash does not match", remedy=_RESTORE)
        if previous is not None and event.previous != previous:
            raise ReviewError(f"{where} does not follow the event before it: the chain is broken", remedy=_RESTORE)
        previous = event.event_id
        _check_time(event.at, where)
        payload = payload_of(event)
        check_payload(event.kind, payload, where)
        _check_protocol(event, payload, answered, settled, open_to_undo, where)


def _check_protocol(
    event: ReviewEvent,
    payload: Mapping[str, Any],
    answered: set[tuple[str, str]],
    settled: set[tuple[str, str]],
    open_to_undo: dict[str, ReviewEvent],
    where: str,
) -> None:
    who = (event.item_id, event.reviewer)
    if event.kind == "blind":
        if who in answered:
            raise ReviewError(f"{where}: {event.reviewer} answered before", remedy="the first blind answer stands")
        if who in settled:
            raise ReviewError(
                f"{where}: {event.reviewer} settled it before", remedy="who knows the key does not answer"
            )
        answered.add(who)
    elif event.kind == "verdict" and who not in answered:
        raise ReviewError(f"{where}: {event.reviewer} has not answered blind", remedy="answer from the images first")
    elif event.kind == "undo":
        target = open_to_undo.pop(payload["event_id"], None)
        if target is None or (target.item_id, target.reviewer) != who:
            raise ReviewError(f"{where}: there is no such event to take back", remedy="undo an own decision, once")
    if event.kind == "adjudicate":
        settled.add(who)
    if event.kind in ("verdict", "adjudicate"):
        open_to_undo[event.event_id] = event


def payload_of(event: ReviewEvent) -> dict[str, Any]:
    """Return an event's payload as an object.

    Raises:
        ReviewError: it is not one.
    """
    try:
        payload = json.loads(event.payload)
    except json.JSONDecodeError:
        payload = None
    if not isinstance(payload, dict):
        raise ReviewError(f"payload of {event.kind} of {event.item_id} is not a JSON object", remedy=_RESTORE)
    return payload


def _event_of(line: str, where: str) -> ReviewEvent:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ReviewError(f"{where} is not JSON", remedy="the log may be cut off: one whole event per line") from error
    if not isinstance(row, dict) or set(row) != _FIELDS:
        raise ReviewError(f"{where} is not a review event", remedy=f"it needs exactly {', '.join(sorted(_FIELDS))}")
    texts = _FIELDS - {"duration_s"}
    duration = row["duration_s"]
    if any(not isinstance(row[name], str) for name in texts) or isinstance(duration, str | bool | list | dict):
        raise ReviewError(f"{where} has a value of the wrong type", remedy="texts, and a number or null as duration_s")
    if row["kind"] not in get_args(EventKind):
        raise ReviewError(f"{where}: there is no kind {row['kind']!r}", remedy=f"it is one of {get_args(EventKind)}")
    return ReviewEvent(**{**row, "duration_s": None if duration is None else float(duration)})


def read_events(path: Path) -> list[ReviewEvent]:
    """Return the events of a log, unverified.

    Raises:
        ReviewError: the file is missing or a line is not an event.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ReviewError(
            f"there is no review log {path.name}", remedy="give the file that the review wrote"
        ) from error
    except UnicodeDecodeError as error:
        raise ReviewError(f"{path.name} is not UTF-8 text", remedy="give the file that the review wrote") from error
    return [_event_of(line, f"{path.name}, line {number}") for number, line in json_lines(text)]


def event_line(event: ReviewEvent) -> str:
    """Return an event as one line of a log."""
    return canonical_json(asdict(event)) + "\n"


def write_events(path: Path, events: Iterable[ReviewEvent]) -> None:
    """Write a whole log: beside its place first, then by one rename."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text("".join(event_line(event) for event in events), encoding="utf-8")
    draft.replace(path)
