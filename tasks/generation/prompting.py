"""Prompts for endpoints: files of `prompts/` (Jinja2), with the constraints of their kind (versioned)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

from schemas.ids import digest
from tasks.endpoint.answers import Answer
from tasks.endpoint.requests import Message
from tasks.generation.authorship import Author
from tasks.generation.grammar import render

FOLDER = Path(__file__).parent / "prompts"
KINDS = ("tile_findings", "wordings", "questions", "paragraph", "negatives", "free_form", "reasoning", "judge")


@functools.cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@functools.cache
def _constraints() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_text("constraints.yaml"))
    return document


@functools.cache
def prompt_sha256(kind: str) -> str:
    """Return the digest of a prompt's texts and constraints, without what fills them."""
    return digest(_text("system.j2"), _text(f"{kind}.j2"), _constraints()["version"], _constraints().get(kind, []))


def messages(kind: str, slots: dict[str, Any], *images: bytes) -> tuple[Message, ...]:
    """Return the conversation that begins with a prompt.

    Args:
        kind: one of `KINDS`.
        slots: what the prompt file asks for.
        *images: JPEG bytes that it speaks of.

    Raises:
        ConfigError: the file asks for a slot that is not given.
    """
    said = render(_text(f"{kind}.j2"), {"constraints": _constraints().get(kind, []), **slots})
    return Message("system", _text("system.j2").strip()), Message("user", said.strip(), images)


def author(kind: str, answer: Answer) -> Author:
    """Return who wrote an answer to a prompt."""
    return Author(answer.model, prompt_sha256(kind), answer.ledger_id)
