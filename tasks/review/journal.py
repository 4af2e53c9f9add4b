"""Writing events to the desk: one at a time, each after the last, and only what the protocol allows next."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any

from schemas.errors import ReviewConflictError, ReviewError
from schemas.identifying import identifiers
from schemas.letters import names_a_letter
from schemas.records import ReviewEvent
from schemas.records.review import EventKind
from tasks.review.decisions import Ruling, rulings
from tasks.review.desk import writing
from tasks.review.events import new_event, now, payload_of
from tasks.review.items import ReviewItem
from tasks.review.payloads import EDITABLE, REASONS

_COLUMNS = "event_id, item_id, reviewer, kind, payload, at, duration_s, previous"
OWN_WORDS = "a reason in their own words"
KEY_SEEN = "you have seen the key of this item, to settle it"


def events_of(connection: sqlite3.Connection, item_id: str | None = None, after: int = 0) -> list[ReviewEvent]:
    """Return the events of one item or of all, oldest first, after the event with that number."""
    where, arguments = ("AND item_id = ?", (after, item_id)) if item_id else ("", (after,))
    rows = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE number > ? {where} ORDER BY number", arguments)  # noqa: S608
    return [ReviewEvent(*row) for row in rows]


def record(
    connection: sqlite3.Connection,
    item: ReviewItem,
    reviewer: str,
    kind: EventKind,
    payload: Mapping[str, Any],
    *,
    after: str,
    duration_s: float | None = None,
    at: str | None = None,
) -> ReviewEvent:
    """Append what a reviewer did, if it may come next; nothing is written otherwise.

    Args:
        connection: an own connection to the desk.
        item: what is reviewed.
        reviewer: who did it.
        kind: blind, verdict, adjudicate or undo.
        payload: see `tasks.review.payloads`; of an undo the event is found here.
        after: id of the reviewer's last event on the item as the sender saw it, empty for none. A request that is sent
            twice, or from a page that is out of date, does not match and changes nothing.
        duration_s: seconds that the reviewer spent.
        at: UTC time of events brought from elsewhere; now where it is not given.

    Raises:
        ReviewConflictError: it is out of order, out of date, or was done before.
        ReviewError: the payload is not that of the kind, or does not fit the item.
    """
    _check_fit(item, kind, payload)
    _check_words(payload)
    with writing(connection):
        standing = _standing(connection, item.item_id, reviewer)
        if after != (standing["latest"] if standing else ""):
            raise ReviewConflictError("the page is out of date: this item has moved on", remedy="load it again")
        payload = _in_order(connection, item, reviewer, kind, payload, standing)
        last = connection.execute("SELECT event_id FROM events ORDER BY number DESC LIMIT 1").fetchone()
        event = new_event(
            item.item_id,
            reviewer,
            kind,
            payload,
            at=at or now(),
            previous=last[0] if last else "",
            duration_s=duration_s,
        )
        values = [getattr(event, name) for name in _COLUMNS.split(", ")]
        connection.execute(f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
        _update_standing(connection, event, payload)
        state = state_of(connection, item)
        connection.execute("UPDATE items SET state = ? WHERE item_id = ?", (state, item.item_id))
    return event


def _standing(connection: sqlite3.Connection, item_id: str, reviewer: str) -> Any:
    query = "SELECT answered, decision, latest FROM standings WHERE item_id = ? AND reviewer = ?"
    return connection.execute(query, (item_id, reviewer)).fetchone()


def _check_fit(item: ReviewItem, kind: EventKind, payload: Mapping[str, Any]) -> None:
    if kind == "blind" and isinstance(payload.get("answer"), int) and payload["answer"] >= len(item.options):
        raise ReviewError(f"there is no option {payload['answer'] + 1}", remedy=f"choose 1 to {len(item.options)}")
    edit = payload.get("edit") if kind in ("verdict", "adjudicate") else None
    if payload.get("decision") == "edit" and isinstance(edit, Mapping):
        if others := sorted(set(edit) - set(EDITABLE[item.kind])):
            allowed = ", ".join(EDITABLE[item.kind]) or "accept or reject it"
            raise ReviewError(f"{others[0]!r} of a {item.kind} cannot be edited", remedy=allowed)
        options, key = edit.get("options", item.options), edit.get("answer_index", item.key)
        if (
            item.kind == "question"
            and isinstance(key, int)
            and isinstance(options, list | tuple)
            and key >= len(options)
        ):
            raise ReviewError("the key is none of the options", remedy="choose one of them as the key")
        if isinstance(edit.get("rationale"), str) and (said := names_a_letter(edit["rationale"])):
            raise ReviewError(
                f"the rationale says {said!r}, and options change places", remedy="name the finding, not its letter"
            )
        if "think" in edit and len(edit["think"]) != len(item.path):
            raise ReviewError("steps were added or left out", remedy="rewrite their words; each cites one statement")


def _check_words(said: Any) -> None:
    """Refuse words that could identify somebody: they would be published, and the gate would refuse all of it."""
    if isinstance(said, str) and (found := identifiers(said)):
        remedy = "leave out names, dates and numbers of cases"
        raise ReviewError(f"these words could identify somebody, by a {found[0].kind}", remedy=remedy)
    if isinstance(said, Mapping | list | tuple):
        for part in said.values() if isinstance(said, Mapping) else said:
            _check_words(part)


def _in_order(
    connection: sqlite3.Connection,
    item: ReviewItem,
    reviewer: str,
    kind: EventKind,
    payload: Mapping[str, Any],
    standing: Any,
) -> Mapping[str, Any]:
    decided = standing is not None and standing["decision"] not in (None, "skip")
    if kind == "blind" and standing is not None:
        if standing["answered"]:
            raise ReviewConflictError("you have answered this item", remedy="the first blind answer stands")
        raise ReviewConflictError(KEY_SEEN, remedy="somebody else answers it from the images")
    if kind == "verdict":
        if standing is None or not standing["answered"]:
            raise ReviewConflictError("answer from the images first", remedy="a verdict comes after the blind answer")
        if decided:
            raise ReviewConflictError("you have decided on this item", remedy="take it back first (U)")
    if kind == "adjudicate":
        state = connection.execute("SELECT state FROM items WHERE item_id = ?", (item.item_id,)).fetchone()[0]
        if state != "differ":
            raise ReviewConflictError(
                "this item has nothing to settle", remedy="only items that readers differ on have"
            )
        if standing is not None and standing["answered"]:
            raise ReviewConflictError("you have read this item yourself", remedy="another adjudicator settles it")
    if kind == "undo":
        return {"event_id": _last_decision(connection, item.item_id, reviewer)}
    return payload


def show_key(connection: sqlite3.Connection, item: ReviewItem, reviewer: str) -> None:
    """Write down that a reviewer is shown the key to settle an item: they can no longer answer it blind."""
    row = (item.item_id, reviewer)
    if not connection.execute("SELECT 1 FROM standings WHERE item_id = ? AND reviewer = ?", row).fetchone():
        with writing(connection):
            connection.execute("INSERT OR IGNORE INTO standings VALUES (?, ?, 0, NULL, '')", row)


def _last_decision(connection: sqlite3.Connection, item_id: str, reviewer: str) -> str:
    """Return the reviewer's last decision on the item that was not taken back."""
    undone: set[str] = set()
    for event in reversed(events_of(connection, item_id)):
        if event.reviewer != reviewer:
            continue
        if event.kind == "undo":
            undone.add(payload_of(event)["event_id"])
        elif event.kind in ("verdict", "adjudicate") and event.event_id not in undone:
            return event.event_id
    raise ReviewConflictError("there is nothing to take back on this item", remedy="decide first")


def _update_standing(connection: sqlite3.Connection, event: ReviewEvent, payload: Mapping[str, Any]) -> None:
    answered = int(event.kind == "blind")
    decision = payload["decision"] if event.kind in ("verdict", "adjudicate") else None
    connection.execute(
        "INSERT INTO standings (item_id, reviewer, answered, decision, latest) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (item_id, reviewer) DO UPDATE SET answered = max(answered, excluded.answered),"
        " decision = excluded.decision, latest = excluded.latest",
        (event.item_id, event.reviewer, answered, decision, event.event_id),
    )


def reasons_for_rejection(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return how many items stand rejected for each reason of the list; those in people's own words are counted alone.

    An item whose readers named different reasons counts for each.
    """
    rows = connection.execute(
        "SELECT DISTINCT e.item_id, json_extract(e.payload, '$.reason') AS reason FROM events e"
        " JOIN items i ON i.item_id = e.item_id WHERE i.state = 'reject'"
        " AND json_extract(e.payload, '$.decision') = 'reject'"
        " AND e.event_id NOT IN (SELECT json_extract(payload, '$.event_id') FROM events WHERE kind = 'undo')"
    )
    given = {(row["item_id"], _listed(str(row["reason"]))) for row in rows}
    return Counter(reason for _, reason in sorted(given)).most_common()


def _listed(reason: str) -> str:
    head = reason.split(": ", maxsplit=1)[0]
    return head if head in REASONS else OWN_WORDS


def state_of(connection: sqlite3.Connection, item: ReviewItem) -> str:
    """Return where an item stands: to_read, second, differ, accept, edit or reject."""
    events = events_of(connection, item.item_id)
    ruling = rulings(events, {item.item_id: item.readers}).get(item.item_id, Ruling("undecided", ""))
    if ruling.outcome != "undecided":
        return ruling.outcome
    return "differ" if ruling.differ else "second" if ruling.readings else "to_read"


def refresh_states(connection: sqlite3.Connection) -> None:
    """Bring the states of all items that have events up to date, for a new queue may ask for other readers."""
    rows = connection.execute("SELECT content FROM items WHERE item_id IN (SELECT item_id FROM events)").fetchall()
    with writing(connection):
        for item in (ReviewItem.from_json(row["content"]) for row in rows):
            state = state_of(connection, item)
            connection.execute("UPDATE items SET state = ? WHERE item_id = ?", (state, item.item_id))
