"""Coming in and going out."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from review_app.access import Desk, OwnForm, address_of, cookie_name, settings_of
from review_app.accounts import User, add_user, check_password, close_session, find_user, open_session
from review_app.pages import message, render, set_cookie

router = APIRouter()
LOCAL_USER = "local"


@router.get("/healthz")
def health(desk: Desk) -> PlainTextResponse:
    """Say that the server and its desk answer."""
    desk.execute("SELECT 1 FROM items LIMIT 1")
    return PlainTextResponse("ok")


@router.get("/login")
def login_page(request: Request) -> Response:
    """Show the form."""
    return render(request, "login.html", fault="")


@router.post("/login")
def login(
    request: Request,
    desk: Desk,
    name: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """Sign in with name and password; after five failures a name or an address waits five minutes."""
    throttle = request.app.state.throttle
    keys = (f"name {name}", f"address {address_of(request)}")
    if throttle.is_closed(*keys):
        return render(request, "login.html", 429, fault="Too many attempts. Wait five minutes.")
    user = check_password(desk, name, password)
    if user is None:
        throttle.failed(*keys)
        return render(request, "login.html", 401, fault="Name and password do not fit.")
    return _entered(request, desk, user)


@router.get("/enter")
def enter(request: Request, desk: Desk, token: str = "") -> Response:
    """Sign in the person at this machine through the link that the server printed; it works once."""
    expected = request.app.state.entry_token
    if not expected or not secrets.compare_digest(token.encode(), expected.encode()):
        return message(
            request, 403, "Not allowed", "This link has been used, or is not of this server. Start it again."
        )
    request.app.state.entry_token = None
    if find_user(desk, LOCAL_USER) is None:
        add_user(desk, LOCAL_USER, "admin", None)
    return _entered(request, desk, User(LOCAL_USER, "admin"))


def _entered(request: Request, desk: Desk, user: User) -> Response:
    response = RedirectResponse("/", 303)
    set_cookie(request, response, open_session(desk, user, settings_of(request).session_hours))
    return response


@router.post("/logout")
def logout(request: Request, desk: Desk, session: OwnForm) -> Response:
    """Sign out."""
    name = cookie_name(settings_of(request))
    close_session(desk, request.cookies.get(name, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(name, path="/")
    return response
