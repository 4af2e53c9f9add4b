"""What every request passes: the host's name, the size of the body, the origin of a change, and strict headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


class BodyTooLargeError(Exception):
    """A body without a stated length grew over the limit."""


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: App, *, hosts: tuple[str, ...], max_body_bytes: int) -> None:
        self._app, self._hosts, self._limit = app, {host.lower() for host in hosts}, max_body_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Refuse what must not come in; add headers to what goes out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope["method"], headers)
        if refusal:
            await _answer(_with_headers(send), *refusal)
            return
        await self._app(scope, self._counted(receive), _with_headers(send))

    def _refusal(self, method: str, headers: dict[str, str]) -> tuple[int, str] | None:
        if _parts(f"//{headers.get('host', '')}").hostname not in self._hosts:
            return 400, "This page is not called by that name."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limit:
            return 413, "That is more than this page takes."
        origin = headers.get("origin")
        if method in _CHANGING and origin is not None and _parts(origin).netloc != headers.get("host"):
            return 403, "Changes are only made from this page itself."
        return None

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise BodyTooLargeError
            return message

        return counted


def _parts(address: str) -> SplitResult:
    """Return the parts of an address; they are all empty where it is none, as with an open bracket."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            held = list(message.get("headers", []))
            if not any(name.lower() == b"cache-control" for name, _ in held):
                held.append((b"cache-control", b"no-store"))
            message["headers"] = held + _HEADERS
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
