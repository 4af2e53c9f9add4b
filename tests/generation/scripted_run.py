"""A run of the generator `openai` against a scripted model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from demo.scripted_endpoint import ScriptedEndpoint
from schemas.records import Field, Question, Rejection
from tasks.endpoint.client import Endpoint
from tasks.generation.questions import write_questions
from tasks.generation.texts import Texts, write_texts
from tasks.generation.view import Tools
from tasks.generation.writer import Writer

Change = Callable[[str, dict[str, Any]], dict[str, Any]]
MakeField = Callable[..., Field]


@dataclasses.dataclass
class Run:
    """A run of the generator with the endpoint that it asks."""

    server: ScriptedEndpoint
    endpoint: Endpoint
    writer: Writer
    tools: Tools

    def texts(self, fields: list[Field]) -> Texts:
        return write_texts(fields, self.tools, self.writer)

    def questions(self, fields: list[Field]) -> tuple[list[Question], list[Rejection]]:
        splits = {field.patient_id: "train" for field in fields}
        tools = self.tools
        return write_questions(fields, splits, tools.graph, tools.vocabulary, tools.config, self.writer)

    def asked(self) -> Counter[str]:
        """How often each form of answer was asked for."""
        return Counter(call.body["response_format"]["json_schema"]["name"] for call in self.server.calls)


Start = Callable[..., AbstractContextManager[Run]]
