"""What the pages ask of the desk."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from review_app.accounts import User
from schemas.records.shared import SCALES
from tasks.review.events import payload_of
from tasks.review.items import ReviewItem
from tasks.review.journal import events_of

Show = Literal["to_read", "read", "differ", "all"]
PAGE = 50
# Whoever has answered an item goes on with it, whoever it is assigned to since.
_VISIBLE = (
    "i.open AND (:settles OR s.answered OR NOT EXISTS (SELECT 1 FROM assignments a WHERE a.item_id = i.item_id)"
    " OR EXISTS (SELECT 1 FROM assignments a WHERE a.item_id = i.item_id AND a.user = :user))"
)
# Whoever was shown the key to settle an item has a standing without an answer, and reads it no more.
_UNREAD = "(s.decision IS NULL AND s.answered IS NOT 0 AND i.state IN ('to_read', 'second'))"
_SHOWN: dict[str, str] = {
    "to_read": _UNREAD,
    "read": "(s.decision IS NOT NULL OR s.answered)",
    "differ": "i.state = 'differ'",
    "all": "1",
}
_FROM = "FROM items i LEFT JOIN standings s ON s.item_id = i.item_id AND s.reviewer = :user"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one user stands with one item."""

    answered: bool = False
    key_seen: bool = False
    decision: str | None = None
    latest: str = ""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One line of the queue page: nothing that tells the key, the kind or what others said."""

    number: int
    public_id: str
    dimension: str
    ask: str
    own: str
    differs: bool


def _arguments(user: User, **more: Any) -> dict[str, Any]:
    return {"user": user.name, "settles": int(user.settles), **more}


def find_item(desk: sqlite3.Connection, public_id: str) -> tuple[ReviewItem, str] | None:
    """Return an item and its state."""
    row = desk.execute("SELECT content, state FROM items WHERE public_id = ?", (public_id,)).fetchone()
    return (ReviewItem.from_json(row["content"]), row["state"]) if row else None


def may_read(desk: sqlite3.Connection, user: User, item: ReviewItem) -> bool:
    """Return whether the item is open and not assigned to others alone before the user began it."""
    query = f"SELECT 1 {_FROM} WHERE i.item_id = :item AND {_VISIBLE}"
    return desk.execute(query, _arguments(user, item=item.item_id)).fetchone() is not None


def standing_of(desk: sqlite3.Connection, user: User, item: ReviewItem) -> Standing:
    """Return where a user stands with an item."""
    query = "SELECT answered, decision, latest FROM standings WHERE item_id = ? AND reviewer = ?"
    row = desk.execute(query, (item.item_id, user.name)).fetchone()
    return Standing(bool(row["answered"]), True, row["decision"], row["latest"]) if row else Standing()


def blind_answer(desk: sqlite3.Connection, user: User, item: ReviewItem) -> int | None:
    """Return the option that a user chose from the images alone; None where they could not tell."""
    mine = (e for e in events_of(desk, item.item_id) if e.kind == "blind" and e.reviewer == user.name)
    answer = payload_of(next(mine))["answer"]
    return None if answer is None else int(answer)


def readings(desk: sqlite3.Connection, item: ReviewItem) -> list[dict[str, Any]]:
    """Return what the readers of an item said, without their names, for the adjudicator."""
    events = events_of(desk, item.item_id)
    undone = {payload_of(event)["event_id"] for event in events if event.kind == "undo"}
    said: dict[str, dict[str, Any]] = {}
    for event in events:
        payload = payload_of(event)
        if event.kind == "blind":
            said.setdefault(event.reviewer, {})["answer"] = payload["answer"]
        elif event.kind == "verdict" and event.event_id not in undone and payload["decision"] != "skip":
            said.setdefault(event.reviewer, {})["verdict"] = payload
    return [reading for reading in said.values() if "verdict" in reading]


def tiles_of(desk: sqlite3.Connection, field_id: str) -> list[sqlite3.Row]:
    """Return the tiles of a field, coarsest first, without their images."""
    query = "SELECT tile_id, scale, mpp, x_px0, y_px0, box_width_px0, box_height_px0, width_px, height_px FROM tiles"
    rows = desk.execute(f"{query} WHERE field_id = ?", (field_id,)).fetchall()
    return sorted(rows, key=lambda row: SCALES.index(row["scale"]))


def slide_of(desk: sqlite3.Connection, slide_id: str) -> sqlite3.Row | None:
    """Return a slide's size and location."""
    row: sqlite3.Row | None = desk.execute("SELECT * FROM slides WHERE slide_id = ?", (slide_id,)).fetchone()
    return row


def _where(show: Show, dimension: str) -> str:
    return f"WHERE {_VISIBLE} AND {_SHOWN[show]}" + (" AND i.dimension = :dimension" if dimension else "")


def queue(desk: sqlite3.Connection, user: User, show: Show, dimension: str, page: int) -> tuple[list[QueueRow], int]:
    """Return one page of the queue as a user may see it, and how many items there are in all."""
    arguments = _arguments(user, dimension=dimension, limit=PAGE, offset=(page - 1) * PAGE)
    where = _where(show, dimension)
    total = desk.execute(f"SELECT count(*) {_FROM} {where}", arguments).fetchone()[0]
    rows = desk.execute(
        "SELECT i.place, i.public_id, i.dimension, i.state, json_extract(i.content, '$.ask') AS ask,"
        " json_extract(i.content, '$.statement') AS statement, s.answered, s.decision"
        f" {_FROM} {where} ORDER BY i.place LIMIT :limit OFFSET :offset",
        arguments,
    )
    return [_queue_row(row, user) for row in rows], int(total)


def _queue_row(row: sqlite3.Row, user: User) -> QueueRow:
    own = row["decision"] or ("answered" if row["answered"] else "")
    differs = user.settles and row["state"] == "differ" and not row["answered"]
    return QueueRow(row["place"] + 1, row["public_id"], row["dimension"], row["statement"] or row["ask"], own, differs)


def next_item(desk: sqlite3.Connection, user: User, dimension: str, after: str, leased: Collection[str]) -> str | None:
    """Return the public id of the next item to read: begun ones first, then in the queue's order after the last one.

    Items that another user was given a short while ago come last; skipped ones do not come again by themselves.
    """
    where = _where("to_read", dimension)
    rows = desk.execute(
        "SELECT i.public_id, i.item_id, i.readers, coalesce(s.answered, 0) AS begun,"  # noqa: S608 - constants
        " i.place > coalesce((SELECT place FROM items WHERE public_id = :after), -1) AS later"
        f" {_FROM} {where} AND i.public_id != :after ORDER BY begun DESC, later DESC, i.place LIMIT 400",
        _arguments(user, dimension=dimension, after=after),
    ).fetchall()
    free = (row for row in rows if row["begun"] or row["readers"] > 1 or row["public_id"] not in leased)
    row = next(free, rows[0] if rows else None)
    return row["public_id"] if row else None


def progress(desk: sqlite3.Connection, user: User) -> dict[str, int]:
    """Return the counts that a user sees: own items read and to read, and how far all have come."""
    row = desk.execute(
        f"SELECT count(*) AS items, coalesce(sum({_UNREAD}), 0) AS to_read,"
        " coalesce(sum(s.decision IS NOT NULL AND s.decision != 'skip'), 0) AS mine,"
        " coalesce(sum(i.state IN ('accept', 'edit', 'reject')), 0) AS decided,"
        f" coalesce(sum(i.state = 'differ'), 0) AS differ {_FROM} WHERE {_VISIBLE}",
        _arguments(user),
    ).fetchone()
    return {name: int(row[name]) for name in row.keys()}  # noqa: SIM118 - a Row iterates over values


def dimensions(desk: sqlite3.Connection) -> list[str]:
    """Return the dimensions of open items, in the queue's order."""
    rows = desk.execute("SELECT dimension FROM items WHERE open GROUP BY dimension ORDER BY min(place)")
    return [row["dimension"] for row in rows]
