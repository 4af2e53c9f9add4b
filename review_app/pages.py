"""Rendering: every template escapes, and every page knows who is signed in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from review_app import scale_bar
from review_app.access import cookie_name, settings_of
from schemas.ids import tree_sha256

HERE = Path(__file__).parent
STATIC = HERE / "static"


@cache
def version() -> str:
    """Return a digest of what is served as it is; it stands in the address, so browsers may keep the files."""
    return tree_sha256((path for path in STATIC.rglob("*") if path.is_file()), STATIC)[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = version()
    environment.filters.update(um=scale_bar.in_words, magnification=scale_bar.magnification, bar_um=scale_bar.bar_um)
    return environment


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    values.setdefault("session", None)
    response = HTMLResponse(_environment().get_template(template).render(request=request, **values), status)
    token = getattr(request.state, "new_token", None)
    if token:
        set_cookie(request, response, token)
    return response


def set_cookie(request: Request, response: Any, token: str) -> None:
    """Put the session's token into a cookie that scripts and other sites do not get."""
    settings = settings_of(request)
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=int(settings.session_hours * 3600),
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )


def message(request: Request, status: int, title: str, text: str) -> HTMLResponse:
    """Return a page that says one thing."""
    return render(request, "message.html", status, title=title, text=text)
