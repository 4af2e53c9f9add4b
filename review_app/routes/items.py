"""One item: blind first, then the key, then a decision."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Header, HTTPException, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from review_app import shelf
from review_app.access import Desk, OwnForm, SignedIn, settings_of
from review_app.accounts import Session, User
from review_app.pages import render
from review_app.routes.forms import CANNOT_TELL, edit_of, reason_of, seconds
from review_app.routes.queue import Dimension, PublicId, just_done
from schemas.errors import ReviewConflictError
from schemas.records.review import Decision
from tasks.review.decision_log import write_log
from tasks.review.items import ReviewItem
from tasks.review.journal import KEY_SEEN, record, show_key
from tasks.review.payloads import REASONS

router = APIRouter(prefix="/items/{public_id}")
ItemId = Annotated[str, Path(pattern=r"^item_[0-9a-f]{20}$")]
After = Annotated[str, Form(pattern=r"^([0-9a-f]{64})?$")]
Duration = Annotated[str, Form(max_length=16)]
Mode = Literal["blind", "decide", "done", "settle", "seen"]


def _find(desk: sqlite3.Connection, user: User, public_id: str) -> tuple[ReviewItem, str]:
    found = shelf.find_item(desk, public_id)
    if found is None:
        raise HTTPException(404, "There is no such item.")
    if not shelf.may_read(desk, user, found[0]):
        raise HTTPException(403, "This item is not in the queue any more, or is assigned to somebody else.")
    return found


def mode_of(user: User, state: str, standing: shelf.Standing) -> Mode:
    """Return what a user may do with an item: the key is sent in every mode but blind."""
    if user.settles and state == "differ" and not standing.answered:
        return "settle"
    if standing.decision not in (None, "skip"):
        return "done"
    if standing.answered:
        return "decide"
    return "seen" if standing.key_seen else "blind"


def _panel(desk: sqlite3.Connection, session: Session, item: ReviewItem, state: str) -> dict[str, Any]:
    """Return what the panel shows. In blind mode nothing but the blind view leaves this function."""
    standing = shelf.standing_of(desk, session.user, item)
    mode = mode_of(session.user, state, standing)
    if mode == "seen":
        raise ReviewConflictError(KEY_SEEN, remedy="somebody else answers it from the images")
    if mode == "settle":
        show_key(desk, item, session.user.name)
    values: dict[str, Any] = {
        "session": session,
        "mode": mode,
        "view": item.blind(),
        "standing": standing,
        "cannot_tell": CANNOT_TELL,
    }
    if mode != "blind":
        values |= {"item": item, "reasons": REASONS, "answer": None, "readings": []}
        if mode == "settle" or not standing.answered:
            values["readings"] = shelf.readings(desk, item)
        else:
            values["answer"] = shelf.blind_answer(desk, session.user, item)
    return values


@router.get("")
def item_page(
    request: Request,
    desk: Desk,
    session: SignedIn,
    public_id: ItemId,
    dimension: Dimension = "",
    after: PublicId = "",
) -> Response:
    """Show an item."""
    item, state = _find(desk, session.user, public_id)
    slide = shelf.slide_of(desk, item.slide_id)
    return render(
        request,
        "item.html",
        tiles=shelf.tiles_of(desk, item.field_id),
        slide=slide,
        at_hand=slide is not None and request.app.state.slides.find(slide["uri"]) is not None,
        progress=shelf.progress(desk, session.user),
        done=just_done(desk, session.user, after),
        dimension=dimension,
        **_panel(desk, session, item, state),
    )


def _onward(public_id: str, dimension: str) -> Response:
    passed = {name: value for name, value in (("after", public_id), ("dimension", dimension)) if value}
    return RedirectResponse(f"/next?{urlencode(passed)}", 303)


@router.post("/blind")
def answer_blind(
    request: Request,
    desk: Desk,
    session: OwnForm,
    public_id: ItemId,
    answer: Annotated[int, Form(ge=CANNOT_TELL, le=26)],
    after: After = "",
    duration_s: Duration = "",
    dimension: Annotated[str, Form(pattern=r"^[a-z_]{0,40}$")] = "",
    x_fragment: Annotated[str, Header()] = "",
) -> Response:
    """Write down the answer from the images alone, then show the rest."""
    item, _ = _find(desk, session.user, public_id)
    payload = {"answer": None if answer == CANNOT_TELL else answer}
    record(desk, item, session.user.name, "blind", payload, after=after, duration_s=seconds(duration_s))
    write_log(desk, settings_of(request).log)
    if not x_fragment:
        return RedirectResponse(f"/items/{public_id}" + (f"?dimension={dimension}" if dimension else ""), 303)
    item, state = _find(desk, session.user, public_id)
    return render(request, "_panel.html", dimension=dimension, **_panel(desk, session, item, state))


@router.post("/verdict")
async def decide(request: Request, desk: Desk, session: OwnForm, public_id: ItemId) -> Response:
    """Write down a decision: accept, edit, reject or skip."""
    return await _decide(request, desk, session, public_id, "verdict")


@router.post("/adjudicate")
async def settle(request: Request, desk: Desk, session: OwnForm, public_id: ItemId) -> Response:
    """Write down an adjudicator's decision on an item that its readers differ on."""
    if not session.user.settles:
        raise HTTPException(403, "Only adjudicators settle what readers differ on.")
    return await _decide(request, desk, session, public_id, "adjudicate")


async def _decide(
    request: Request, desk: sqlite3.Connection, session: Session, public_id: str, kind: Literal["verdict", "adjudicate"]
) -> Response:
    form = {name: str(value) for name, value in (await request.form(max_files=0, max_fields=64)).items()}
    return await run_in_threadpool(_write_decision, request, desk, session, public_id, kind, form)


def _write_decision(
    request: Request,
    desk: sqlite3.Connection,
    session: Session,
    public_id: str,
    kind: Literal["verdict", "adjudicate"],
    form: dict[str, str],
) -> Response:
    item, _ = _find(desk, session.user, public_id)
    decision: Decision | str = form.get("decision", "")
    payload: dict[str, Any] = {"decision": decision}
    if decision == "reject":
        payload["reason"] = reason_of(form)
    elif decision == "edit":
        payload["edit"] = edit_of(item, form)
    after, spent = form.get("after", ""), seconds(form.get("duration_s", ""))
    record(desk, item, session.user.name, kind, payload, after=after, duration_s=spent)
    write_log(desk, settings_of(request).log)
    dimension = form.get("dimension", "")
    return _onward(public_id, dimension if dimension.replace("_", "").isalpha() else "")


@router.post("/undo")
def take_back(request: Request, desk: Desk, session: OwnForm, public_id: ItemId, after: After = "") -> Response:
    """Take back the last decision; the item is shown again."""
    item, _ = _find(desk, session.user, public_id)
    record(desk, item, session.user.name, "undo", {}, after=after)
    write_log(desk, settings_of(request).log)
    return RedirectResponse(f"/items/{public_id}", 303)
