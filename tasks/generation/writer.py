"""The generator `openai`: whom to ask, and who reads what comes back."""

from __future__ import annotations

from dataclasses import dataclass

from kg.link import Linker
from tasks.endpoint.client import Endpoint
from tasks.generation.claims import Claims
from tasks.generation.view import Tools


@dataclass(frozen=True)
class Writer:
    """An endpoint that words texts, and the linker that tells what they claim."""

    asker: Endpoint
    linker: Linker

    def claims(self, tools: Tools) -> Claims:
        """Return the reader of claims for the graph and vocabulary in use."""
        return Claims(tools, self.linker)
