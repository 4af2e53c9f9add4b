"""Questions of a failing cell written anew by an endpoint, under the constraints of the cues that gave keys away.

The writer is not told which option is right, and sees the options in an order drawn from their texts: what it writes
cannot depend on the key. Facts stay as they are, so key, concepts, evidence and rationale stay too; what the linker of
the knowledge graph finds in an option has to be found in its new words, and nothing that another option says. Questions
with the same words are put once: all members of an option set get the same new words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from schemas.ids import canonical_json, digest
from schemas.records import Provenance, Question
from tasks.endpoint.answers import Answer
from tasks.endpoint.client import Endpoint
from tasks.endpoint.requests import Message, Request
from tasks.screening.items import normalised
from tasks.screening.repair import NotRepaired, Repair, under_its_content
from tasks.settings import code_version

TEMPLATE = "rewrite.txt.j2"
LONGEST_TO_SHORTEST = 1.3  # the prompt asks for a fifth; languages and counting differ
LONGER = 4  # characters more, for options of a word or two
Claims = Mapping[str, str]
"""Status of each concept that a text mentions."""


def _fault(before: Sequence[Claims], after: Sequence[Claims]) -> str | None:
    """Return how the claims of options changed, None where they are the same as far as they tell options apart."""
    known = {concept for claims in before for concept in claims}
    for number, (old, new) in enumerate(zip(before, after, strict=True), start=1):
        for concept in sorted(set(old) | (set(new) & known)):
            if concept not in new:
                return f"option {number} does not say any more what it said ({concept})"
            if concept not in old:
                return f"option {number} says what another option says ({concept})"
            if new[concept] != old[concept]:
                return f"option {number} says {concept} as {new[concept]}, not as {old[concept]}"
    return None


class Reworded(BaseModel):
    """What the writer answers."""

    question: str = Field(min_length=8, max_length=2000, description="the question in new words")
    options: list[str] = Field(description="the options in new words, in the order in which they were given")

    @field_validator("options")
    @classmethod
    def _are_options(cls, value: list[str], info: ValidationInfo) -> list[str]:
        context = info.context or {}
        count = int(context.get("count", len(value)))
        texts = [normalised(option) for option in value]
        lengths = [len(option) for option in value]
        if len(value) != count:
            raise ValueError(f"{len(value)} options, {count} are needed")
        if not all(texts) or len(set(texts)) < count:
            raise ValueError("options are empty or equal")
        if max(lengths) > LONGEST_TO_SHORTEST * min(lengths) + LONGER:
            raise ValueError(f"options are {min(lengths)} to {max(lengths)} characters long; make them equally long")
        read: Callable[[str], Claims] | None = context.get("read")
        fault = _fault(context["claims"], [read(option) for option in value]) if read else None
        if fault:
            raise ValueError(fault)
        return [option.strip() for option in value]


@cache
def _environment() -> Any:
    import jinja2

    folder = Path(__file__).parent / "templates"
    return jinja2.Environment(  # noqa: S701 - plain text
        loader=jinja2.FileSystemLoader(folder), trim_blocks=True, undefined=jinja2.StrictUndefined
    )


def _order(question: Question) -> list[int]:
    """Return the order in which options are shown to the writer: the alphabet's, which knows no key."""
    return sorted(range(len(question.options)), key=lambda place: question.options[place])


def prompt_of(question: Question, repair: Repair) -> str:
    """Return what the writer is told about one question."""
    options = [question.options[place] for place in _order(question)]
    template = _environment().get_template(TEMPLATE)
    return str(template.render(question=question.question, options=options, constraints=repair.constraints))


@dataclass(frozen=True)
class EndpointWriter:
    """Writes the questions of a cell anew; a `Rewriter`.

    `read` returns what a text claims; without it the claims of new words are not checked.
    """

    endpoint: Endpoint
    read: Callable[[str], Claims] | None = None

    def request(self, question: Question, repair: Repair) -> Request:
        """Return the call for one question; another round is another sample."""
        claims = [self.read(question.options[place]) for place in _order(question)] if self.read else []
        return Request(
            question.question_id,
            "screening",
            (Message("user", prompt_of(question, repair)),),
            reply=Reworded,
            context={"count": len(question.options), "claims": claims, "read": self.read},
            max_tokens=400 + 120 * len(question.options),
            sample=repair.round,
        )

    def __call__(self, repair: Repair, questions: Sequence[Question]) -> list[Question | NotRepaired]:
        """Return each question in new words, or why there are none.

        Raises:
            EndpointError: the endpoint refuses every call.
        """
        outcomes = self.endpoint.ask([self.request(question, repair) for question in questions])
        written: list[Question | NotRepaired] = []
        for question, outcome in zip(questions, outcomes, strict=True):
            if isinstance(outcome, Answer) and isinstance(outcome.value, Reworded):
                written.append(self._reworded(question, outcome.value, outcome, repair))
            elif not isinstance(outcome, Answer):
                written.append(NotRepaired(outcome.reason, outcome.detail))
        return written

    def _reworded(self, question: Question, new: Reworded, answer: Answer, repair: Repair) -> Question:
        options = list(question.options)
        for place, text in zip(_order(question), new.options, strict=True):
            options[place] = text
        reworded = replace(
            question,
            question=new.question.strip(),
            options=tuple(options),
            provenance=Provenance(
                generator="openai",
                model=answer.model,
                prompt_sha256=digest(prompt_of(question, repair)),
                parameters=canonical_json({"constraints": repair.version, "cues": repair.cues, "round": repair.round}),
                code_version=code_version("tasks/screening", "tasks/endpoint"),
                ledger_id=answer.ledger_id,
            ),
        )
        return under_its_content(reworded, question)
