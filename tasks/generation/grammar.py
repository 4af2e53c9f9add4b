"""Rendering of templates so that the place of every slot in the text is known."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2

from schemas.errors import ConfigError

# Private-use characters mark where a slot begins, where its name ends and where it ends; no text of ours holds them.
_OPEN, _NAMED, _CLOSE = "\ue000", "\ue001", "\ue002"


@dataclass(frozen=True, slots=True)
class Span:
    """One slot in a rendered text: its name, its place and what fills it."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text and the slots in it, outer slots after the inner ones."""

    text: str
    spans: tuple[Span, ...]

    def span(self, name: str) -> Span:
        """Return the slot called so."""
        return next(span for span in self.spans if span.name == name)


def mark(name: str, text: str) -> str:
    """Return a text that a template carries along as the slot `name`."""
    return f"{_OPEN}{name}{_NAMED}{text}{_CLOSE}"


def enumerate_words(parts: list[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def strip_marks(text: str) -> Rendered:
    """Return the plain text, its first letter in upper case, and the slots that were marked."""
    plain: list[str] = []
    spans: list[Span] = []
    stack: list[tuple[str, int]] = []
    position = 0
    pieces = iter(_pieces(text))
    for piece in pieces:
        if piece == _OPEN:
            name = next(pieces)
            next(pieces)  # the end of the name
            stack.append((name, position))
        elif piece == _CLOSE:
            name, start = stack.pop()
            spans.append(Span(name, start, position))
        else:
            plain.append(piece)
            position += len(piece)
    joined = "".join(plain)
    return Rendered(joined[:1].upper() + joined[1:], tuple(spans))


def _pieces(text: str) -> list[str]:
    for sign in (_OPEN, _NAMED, _CLOSE):
        text = text.replace(sign, f"\n{sign}\n")
    return [piece for piece in text.split("\n") if piece]


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=jinja2.select_autoescape(()))


@functools.cache
def template(source: str) -> jinja2.Template:
    """Return a compiled template.

    Raises:
        ConfigError: it is not a Jinja2 template.
    """
    try:
        return _environment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"template {source!r}: {error}", remedy="correct the template file") from error


def render(source: str, slots: Mapping[str, Any]) -> str:
    """Return a template filled with slots; marks stay in the text.

    Raises:
        ConfigError: the template asks for a slot that is not given.
    """
    try:
        return template(source).render(slots)
    except jinja2.UndefinedError as error:
        raise ConfigError(f"template {source!r}: {error}", remedy="correct the template file") from error
