"""The queue, and the way to the next item."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from review_app import shelf
from review_app.access import Desk, SignedIn
from review_app.accounts import User
from review_app.pages import render

router = APIRouter()
PublicId = Annotated[str, Query(pattern=r"^(item_[0-9a-f]{20})?$")]
Dimension = Annotated[str, Query(pattern=r"^[a-z_]{0,40}$")]


@router.get("/")
def queue_page(
    request: Request,
    desk: Desk,
    session: SignedIn,
    show: shelf.Show = "to_read",
    dimension: Dimension = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    after: PublicId = "",
) -> Response:
    """Show the queue, filtered, with progress."""
    if show == "differ" and not session.user.settles:
        raise HTTPException(403, "Only adjudicators see what readers differ on.")
    rows, total = shelf.queue(desk, session.user, show, dimension, page)
    return render(
        request,
        "queue.html",
        session=session,
        rows=rows,
        total=total,
        show=show,
        dimension=dimension,
        page=page,
        pages=max(1, -(-total // shelf.PAGE)),
        dimensions=shelf.dimensions(desk),
        progress=shelf.progress(desk, session.user),
        done=just_done(desk, session.user, after),
    )


@router.get("/next")
def next_page(
    request: Request, desk: Desk, session: SignedIn, dimension: Dimension = "", after: PublicId = ""
) -> Response:
    """Lead to the next item to read, or back to the queue when there is none."""
    leases = request.app.state.leases
    found = shelf.next_item(desk, session.user, dimension, after, leases.others(session.user.name))
    passed = {name: value for name, value in (("dimension", dimension), ("after", after)) if value}
    if found is None:
        return RedirectResponse(f"/?{urlencode(passed)}", 303)
    leases.take(found, session.user.name)
    return RedirectResponse(f"/items/{found}?{urlencode(passed)}", 303)


def just_done(desk: sqlite3.Connection, user: User, public_id: str) -> dict[str, Any] | None:
    """Return what the user last decided on an item, so that it can be taken back from the page that follows."""
    found = shelf.find_item(desk, public_id) if public_id else None
    if found is None:
        return None
    standing = shelf.standing_of(desk, user, found[0])
    said = {"accept": "Accepted", "edit": "Edited", "reject": "Rejected", "skip": "Skipped"}.get(
        standing.decision or ""
    )
    return {"public_id": public_id, "said": said, "latest": standing.latest} if said else None
