"""For administrators: who reads what, and how far readers agree."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from review_app import shelf
from review_app.access import Admin, AdminForm, Desk
from review_app.accounts import find_user
from review_app.pages import render
from schemas.errors import ReviewError
from tasks.review.agreement import agreement, human_baseline
from tasks.review.desk import writing
from tasks.review.events import payload_of, verify_chain
from tasks.review.items import ReviewItem
from tasks.review.journal import events_of, reasons_for_rejection

router = APIRouter(prefix="/admin")


def _by_user(desk: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = desk.execute(
        "SELECT u.name, u.role, u.active,"
        " (SELECT count(*) FROM assignments a WHERE a.user = u.name) AS assigned,"
        " (SELECT count(*) FROM standings s WHERE s.reviewer = u.name AND s.answered) AS answered,"
        " (SELECT count(*) FROM standings s WHERE s.reviewer = u.name AND s.decision IS NOT NULL) AS decided,"
        " (SELECT sum(duration_s) FROM events e WHERE e.reviewer = u.name) AS spent_s"
        " FROM users u ORDER BY u.name"
    )
    return [dict(row) for row in rows]


@router.get("")
def admin_page(request: Request, desk: Desk, session: Admin) -> Response:
    """Show users, assignments, states, agreement, the human baseline and whether the chain holds."""
    events = events_of(desk)
    try:
        verify_chain(events, previous="")
        chain = ""
    except ReviewError as error:
        chain = str(error)
    items = [ReviewItem.from_json(row["content"]) for row in desk.execute("SELECT content FROM items ORDER BY place")]
    states = desk.execute("SELECT state, count(*) AS n FROM items WHERE open GROUP BY state").fetchall()
    return render(
        request,
        "admin.html",
        session=session,
        people=_by_user(desk),
        states={row["state"]: row["n"] for row in states},
        dimensions=shelf.dimensions(desk),
        agreement=agreement(events, items),
        baseline=human_baseline(events, items),
        rejections=reasons_for_rejection(desk),
        events=len(events),
        undone=sum(1 for event in events if event.kind == "undo" and payload_of(event)),
        chain=chain,
    )


@router.post("/assign")
def assign(
    desk: Desk,
    session: AdminForm,
    user: Annotated[str, Form(max_length=32)],
    dimension: Annotated[str, Form(pattern=r"^[a-z_]{0,40}$")] = "",
    count: Annotated[int, Form(ge=1, le=100_000)] = 20,
) -> Response:
    """Assign items that still want a reader, in the queue's order; assigned items are shown to their readers alone.

    Whoever has begun an item is one of its readers, assigned or not.
    """
    if find_user(desk, user) is None:
        raise HTTPException(422, "There is no such user.")
    with writing(desk):
        desk.execute(
            "INSERT INTO assignments SELECT item_id, :user FROM items i WHERE open AND state IN ('to_read', 'second')"
            " AND (:dimension = '' OR dimension = :dimension)"
            " AND (SELECT count(*) FROM (SELECT user FROM assignments a WHERE a.item_id = i.item_id"
            " UNION SELECT reviewer FROM standings s WHERE s.item_id = i.item_id AND s.answered"
            " AND s.decision IS NOT 'skip')) < i.readers"
            " AND NOT EXISTS (SELECT 1 FROM assignments a WHERE a.item_id = i.item_id AND a.user = :user)"
            " AND NOT EXISTS (SELECT 1 FROM standings s WHERE s.item_id = i.item_id AND s.reviewer = :user)"
            " ORDER BY place LIMIT :count",
            {"user": user, "dimension": dimension, "count": count},
        )
    return RedirectResponse("/admin", 303)


@router.post("/release")
def release(desk: Desk, session: AdminForm, user: Annotated[str, Form(max_length=32)]) -> Response:
    """Give what a reader was assigned and has not decided back to everybody."""
    with writing(desk):
        desk.execute(
            "DELETE FROM assignments WHERE user = :user AND item_id NOT IN"
            " (SELECT item_id FROM standings WHERE reviewer = :user AND decision IS NOT NULL)",
            {"user": user},
        )
    return RedirectResponse("/admin", 303)
