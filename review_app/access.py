"""Who is asking, and on which connection."""

from __future__ import annotations

import queue
import secrets
import sqlite3
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request

from review_app.accounts import Session, find_session, find_user, open_session
from review_app.settings import PageSettings
from tasks.review.desk import connect_desk


class SignInNeededError(Exception):
    """Nobody is signed in."""


def settings_of(request: Request) -> PageSettings:
    """Return the server's settings."""
    settings: PageSettings = request.app.state.settings
    return settings


def cookie_name(settings: PageSettings) -> str:
    """Return the name of the session cookie; `__Host-` makes browsers hold it to this host and to TLS."""
    return "__Host-slidesmith" if settings.secure_cookies else "slidesmith"


class Connections:
    """Connections to the desk that wait for a request; each serves one at a time."""

    def __init__(self, settings: PageSettings) -> None:
        self._settings = settings
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()

    def take(self) -> sqlite3.Connection:
        """Return a connection that nobody else has."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return connect_desk(self._settings.desk)

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Let another request have it; one that was left amid a transaction is closed."""
        if connection.in_transaction:
            connection.close()
        else:
            self._idle.put(connection)

    def close(self) -> None:
        """Close what waits."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


# What follows takes microseconds, so it stays in the event loop: a thread for each would cost more than the work.
async def desk_of(request: Request) -> AsyncIterator[sqlite3.Connection]:
    """Yield a connection of the request's own."""
    connections: Connections = request.app.state.connections
    connection = connections.take()
    try:
        yield connection
    finally:
        connections.give_back(connection)


Desk = Annotated[sqlite3.Connection, Depends(desk_of)]


async def session_of(request: Request, desk: Desk) -> Session:
    """Return the session of the cookie; where a proxy names the user, the two must agree.

    Raises:
        SignInNeededError: nobody is signed in.
    """
    settings = settings_of(request)
    token = request.cookies.get(cookie_name(settings), "")
    session = find_session(desk, token) if token else None
    if settings.user_header:
        named = proxied_user(request)
        if session is None or session.user.name != named:
            session = _proxied_session(request, desk, named)
    if session is None:
        raise SignInNeededError
    return session


def proxied_user(request: Request) -> str | None:
    """Return the user that a trusted reverse proxy names."""
    settings = settings_of(request)
    peer = request.client.host if request.client else ""
    return request.headers.get(settings.user_header or "") if peer in settings.proxies else None


def address_of(request: Request) -> str:
    """Return the address that asks; behind a trusted proxy the last that it names: the one it has heard itself."""
    peer = request.client.host if request.client else ""
    if peer not in settings_of(request).proxies:
        return peer
    return request.headers.get("x-forwarded-for", peer).split(",")[-1].strip()


def _proxied_session(request: Request, desk: sqlite3.Connection, name: str | None) -> Session | None:
    user = find_user(desk, name) if name else None
    if user is None:
        return None
    token = open_session(desk, user, settings_of(request).session_hours)
    request.state.new_token = token
    return find_session(desk, token)


SignedIn = Annotated[Session, Depends(session_of)]


async def own_form(session: SignedIn, csrf: Annotated[str, Form()] = "") -> Session:
    """Return the session of a form that this page itself made.

    Raises:
        HTTPException: 403, the form's token is not the session's.
    """
    if not secrets.compare_digest(csrf.encode(), session.csrf.encode()):
        raise HTTPException(403, "This form is not from your session. Load the page again.")
    return session


OwnForm = Annotated[Session, Depends(own_form)]


async def admin_only(session: SignedIn) -> Session:
    """Return an administrator's session.

    Raises:
        HTTPException: 403, the user is none.
    """
    if session.user.role != "admin":
        raise HTTPException(403, "Only administrators see this page.")
    return session


Admin = Annotated[Session, Depends(admin_only)]


async def admin_form(admin: Admin, own: OwnForm) -> Session:
    """Return an administrator's session, from a form that this page itself made."""
    return own


AdminForm = Annotated[Session, Depends(admin_form)]
