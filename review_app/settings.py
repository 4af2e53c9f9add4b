"""What the server must know; everything else stands on the desk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Settings of one server."""

    desk: Path
    """The SQLite file that `open_review` wrote."""
    log: Path
    """The log of decisions that the next run reads; kept up to the last event."""
    slides_root: Path | None = None
    """Folder that the slides' locations are relative to; None: no whole-slide view."""
    hosts: tuple[str, ...] = LOOPBACK
    """Names by which the page may be called; others are refused (DNS rebinding)."""
    secure_cookies: bool = False
    """Cookies are sent over TLS only."""
    user_header: str | None = None
    """Header in which a reverse proxy names the signed-in user; trusted from `proxies` alone."""
    proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies: they name users and say for whom they forward; nobody else is believed."""
    session_hours: float = 12.0
    max_body_bytes: int = 65_536
