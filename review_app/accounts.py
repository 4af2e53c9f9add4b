"""Users, passwords and sessions, on the desk."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas.errors import InputError

Role = Literal["annotator", "adjudicator", "admin"]
MIN_PASSWORD = 10
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
# OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_HASHING = threading.BoundedSemaphore(2)  # many sign-ins at once wait rather than take memory


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    role: Role
    active: bool = True

    @property
    def settles(self) -> bool:
        """Whether the user settles what readers differ on."""
        return self.role != "annotator"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user, and the token that every form must carry."""

    user: User
    csrf: str


def _hashed(password: str) -> str:
    with _HASHING:
        return _HASHER.hash(password)


@cache
def _nobodys_hash() -> str:
    return _hashed(secrets.token_hex())


def add_user(desk: sqlite3.Connection, name: str, role: str, password: str | None) -> None:
    """Add a user or give one a new role and password; None: no password, only a proxy or a sign-in link lets them in.

    Raises:
        InputError: the name, the role or the password will not do.
    """
    if not _NAME.fullmatch(name) or name == "system":
        raise InputError(f"{name!r} is no user name", remedy="use a-z, 0-9, dot, dash and underscore, at most 32")
    if role not in get_args(Role):
        raise InputError(f"{role!r} is no role", remedy=f"choose {', '.join(get_args(Role))}")
    if password is not None and len(password) < MIN_PASSWORD:
        raise InputError("the password is too short", remedy=f"take at least {MIN_PASSWORD} characters")
    desk.execute(
        "INSERT INTO users (name, role, password) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET role = excluded.role, password = excluded.password, active = 1",
        (name, role, "" if password is None else _hashed(password)),
    )
    desk.execute("DELETE FROM sessions WHERE user = ?", (name,))


def deactivate(desk: sqlite3.Connection, name: str) -> None:
    """Keep a user out; what they said stays.

    Raises:
        InputError: there is no such user.
    """
    if not desk.execute("UPDATE users SET active = 0 WHERE name = ?", (name,)).rowcount:
        raise InputError(f"there is no user {name!r}", remedy="see `slidesmith review users list`")
    desk.execute("DELETE FROM sessions WHERE user = ?", (name,))


def users(desk: sqlite3.Connection) -> list[User]:
    """Return all users by name."""
    rows = desk.execute("SELECT name, role, active FROM users ORDER BY name")
    return [User(row["name"], row["role"], bool(row["active"])) for row in rows]


def find_user(desk: sqlite3.Connection, name: str) -> User | None:
    """Return an active user."""
    row = desk.execute("SELECT name, role FROM users WHERE name = ? AND active", (name,)).fetchone()
    return User(row["name"], row["role"]) if row else None


def check_password(desk: sqlite3.Connection, name: str, password: str) -> User | None:
    """Return the user if name and password fit; an unknown name takes as long as a wrong password."""
    row = desk.execute("SELECT password FROM users WHERE name = ? AND active", (name,)).fetchone()
    held = row["password"] if row and row["password"] else _nobodys_hash()
    try:
        with _HASHING:
            _HASHER.verify(held, password)
    except (VerificationError, InvalidHashError):
        return None
    return find_user(desk, name)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(desk: sqlite3.Connection, user: User, hours: float) -> str:
    """Return the token of a new session; the desk holds only its digest."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    desk.execute("DELETE FROM sessions WHERE expires < ?", (now,))
    row = (_digest(token), user.name, secrets.token_urlsafe(32), now + hours * 3600)
    desk.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", row)
    return token


def find_session(desk: sqlite3.Connection, token: str) -> Session | None:
    """Return the session of a token, if it has not run out and its user is active."""
    row = desk.execute(
        "SELECT u.name, u.role, s.csrf FROM sessions s JOIN users u ON u.name = s.user"
        " WHERE s.token_sha256 = ? AND s.expires > ? AND u.active",
        (_digest(token), time.time()),
    ).fetchone()
    return Session(User(row["name"], row["role"]), row["csrf"]) if row else None


def close_session(desk: sqlite3.Connection, token: str) -> None:
    """End a session."""
    desk.execute("DELETE FROM sessions WHERE token_sha256 = ?", (_digest(token),))
