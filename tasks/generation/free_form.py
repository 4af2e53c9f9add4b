"""Free-form questions of an endpoint: options of their own for a field, written without knowing which is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from schemas.records import Question, Rejection
from tasks.endpoint.answers import Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.requests import Request
from tasks.generation.checked_replies import FreeForm, SaysThat
from tasks.generation.claims import Claims
from tasks.generation.composites import Composite
from tasks.generation.option_sets import State
from tasks.generation.prompting import author, messages
from tasks.generation.question_rows import question_row
from tasks.generation.view import Tools

_MAX_TOKENS = 900


def write_free_form(
    asker: Endpoint, claims: Claims, composites: Sequence[Composite], tools: Tools
) -> tuple[list[Question], list[Rejection]]:
    """Return a question for each composite, and those for which no usable one was written.

    The model is given the four states in an order that depends on them alone, never the key, and writes an option and a
    rationale for each: neither style nor length can follow the key, and fields with the same four states share a call.
    Each option has to claim its state and nothing else, so that the key follows from the field's features.
    """
    requests = [_request(item, tools, claims) for item in composites]
    rows: list[Question] = []
    rejections = []
    for item, outcome in zip(composites, asker.ask(requests), strict=True):
        if isinstance(outcome, Failure):
            rejections.append(outcome.rejection())
        elif isinstance(outcome.value, FreeForm):
            said, states = outcome.value, _states(item)
            place = [states.index(state) for state in item.option_set.states]
            written = dataclasses.replace(
                item.option_set, question=said.question, options=tuple(said.options[index] for index in place)
            )
            rationale = said.rationales[place[0]]  # the first state of a composite is the field's own
            by = author("free_form", outcome)
            rows.append(question_row(written, item.place, tools, rationale=rationale, author=by))
    return rows, rejections


def _states(item: Composite) -> list[State]:
    return sorted(item.option_set.states)


def _request(item: Composite, tools: Tools, claims: Claims) -> Request:
    surface = item.option_set.template.surface
    states = [[tools.say(concept, surface) for _, _, concept in state] for state in _states(item)]
    checks = [SaysThat(claims, "; ".join(state), state) for state in states]
    context = {
        "question": SaysThat(claims, "the question names no finding", ()),
        "options": checks,
        "rationales": checks,
        "max_length_ratio": tools.config.max_length_ratio,
    }
    template = item.option_set.template
    slots = {"scales": item.option_set.scales, "about": template.questions[0], "states": states}
    said = messages("free_form", slots)
    name = f"{item.place.view.field.field_id}/{item.option_set.template.name}"
    return Request(name, "generation", said, FreeForm, context, _MAX_TOKENS)
