"""Repair by cue: what can be done about a cell that leaks, and how its questions are to be written anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from schemas.ids import content_id, digest
from schemas.records import Question
from schemas.rejection import Reason
from tasks.screening.cues import COMBINATION
from tasks.screening.screen import Cell

Operation = Literal["shuffle", "rewrite", "pair"]


@dataclass(frozen=True, slots=True)
class Repair:
    """What is to be done about one failing cell.

    Attributes:
        cell: the cell.
        operation: `shuffle` places the keys anew, `rewrite` has the questions worded again, `pair` asks each of fields
            for which every one of its options is right equally often.
        cues: names of the cues that gave keys away, the most telling first.
        constraints: what the writer is told, one text per cue, with giveaway words where there are any.
        version: version of the constraint set.
        round: the repair's number, from 1.
    """

    cell: str
    operation: Operation
    cues: tuple[str, ...]
    constraints: tuple[str, ...]
    version: int
    round: int


@dataclass(frozen=True, slots=True)
class NotRepaired:
    """Why a question of a repaired cell is not passed on."""

    reason: Reason
    detail: str


Rewriter = Callable[[Repair, Sequence[Question]], Sequence[Question | NotRepaired]]
"""Writes a cell's questions again: per question the new one, or why there is none."""


@cache
def constraint_set() -> dict[str, Any]:
    """Return the versioned constraints: `{version, cues: {cue: {operation, text}}}`."""
    text = (Path(__file__).parent / "constraints.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def plan_repairs(cell: Cell, number: int) -> list[Repair]:
    """Return what can be done about a failing cell, in the order of trial; later ones begin with a stronger one."""
    known = constraint_set()
    cues = [cue for cue in cell.cues if cue.name in known["cues"]]
    names = [cue.name for cue in cues] or [COMBINATION, *(part.cue for part in cell.importance[:3])]
    texts = [known["cues"][name]["text"] for name in names]
    for place, cue in enumerate(cues):
        if cue.examples:
            texts[place] += f" ({', '.join(cue.examples)})"
    operations: list[Operation] = known["cues"][names[0]]["operations"]
    first = min(number, len(operations)) - 1
    return [
        Repair(cell.name, operation, tuple(names), tuple(texts), int(known["version"]), number)
        for operation in operations[first:] + operations[:first]
    ]


def under_its_content(question: Question, former: Question) -> Question:
    """Return a question that was `former` under the id of what it says now, the former id among its inputs.

    Decisions name options by their place, so what was decided about other words, or another order, is not about it.
    """
    made = question.provenance
    return replace(
        question,
        question_id=content_id("mcq", question.field_id, question.template, question.question, question.options),
        provenance=replace(made, input_ids=(*made.input_ids, former.question_id)),
    )


def _turned(question: Question, place: int) -> Question:
    """Return the question with its options turned until the key stands at `place`: another item, unless it does."""
    k = len(question.options)
    turn = (question.answer_index - place) % k
    if not turn:
        return question
    order = [(position + turn) % k for position in range(k)]
    concepts = question.option_concepts
    turned = replace(
        question,
        options=tuple(question.options[position] for position in order),
        option_concepts=tuple(concepts[position] for position in order) if len(concepts) == k else concepts,
        answer_index=place,
    )
    return under_its_content(turned, question)


def _places(names: Sequence[str], size: int, *drawn: object) -> dict[str, int]:
    """Return a place for every id, each place equally often, give or take one.

    An id has an order of places of its own and takes the first with room, so that few move where others come or go.
    """
    ranked = sorted(range(size), key=lambda place: digest(*drawn, place))
    room = {place: len(names) // size + (rank < len(names) % size) for rank, place in enumerate(ranked)}
    places: dict[str, int] = {}
    for name in sorted(names, key=lambda name: digest(*drawn, name)):
        own = sorted(range(size), key=lambda place: digest(*drawn, name, place))
        places[name] = next(place for place in own if room[place])
        room[places[name]] -= 1
    return places


def shuffle_keys(questions: Sequence[Question], seed: int) -> list[Question]:
    """Return questions with the key at every place equally often, give or take one, within cell, split and size.

    A question's place is drawn from its id and the seed, as far as the balance allows. Options are turned, not mixed,
    so that their order among themselves stays. Questions of an option set stay as they are: their places are balanced
    for each order of the options, and would not be if each were turned on its own.
    """
    parts: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for question in questions:
        if question.option_set_id is None:
            parts[question.cell, question.split, len(question.options)].append(question.question_id)
    places: dict[str, int] = {}
    for (cell, split, size), names in parts.items():
        places |= _places(names, size, seed, cell, split)
    return [_turned(q, places[q.question_id]) if q.question_id in places else q for q in questions]
