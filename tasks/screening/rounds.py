"""Rounds of screening: what fails is repaired by its cue and read again, and dropped when that does not help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.origins import with_origin
from schemas.records import Question, Rejection
from tasks.rebalance import restore_balance, unbalanced_sets
from tasks.screening.board import TextReader
from tasks.screening.canonical import canonicalise
from tasks.screening.config import ScreeningConfig
from tasks.screening.items import item_of
from tasks.screening.outside import outside_readers
from tasks.screening.repair import NotRepaired, Repair, Rewriter, plan_repairs
from tasks.screening.screen import Cell, Screening, screen
from tasks.screening.treatment import repaired


@dataclass(frozen=True)
class Outcome:
    """What the stage made of its questions: `rounds` are the screenings, first to last."""

    kept: tuple[Question, ...]
    rejections: tuple[Rejection, ...]
    rounds: tuple[Screening, ...]
    dropped: tuple[Cell, ...]
    repairs: tuple[Repair, ...]

    @property
    def flagged(self) -> list[dict[str, Any]]:
        """Flagged questions that are kept: `{item_id, cell, reasons: [{reader, p, cue}]}`, in the questions' order."""
        flags = self.rounds[-1].item_flags if self.rounds else {}
        return [
            {
                "item_id": question.question_id,
                "cell": question.cell,
                "reasons": [{"reader": f.reader, "p": f.p, "cue": f.cue} for f in flags[question.question_id]],
            }
            for question in self.kept
            if question.question_id in flags
        ]


def failing_cells(screening: Screening) -> list[Cell]:
    """Return the cells that leak, on the word of the readers that may select.

    A cell too small to be judged falls with its type where the type fails and none of its cells fails alone.
    """
    cells = [cell for cell in screening.cells if cell.level == "cell"]
    failing = [cell for cell in cells if cell.selected == "fail"]
    type_of = {item.cell: item.type for item in screening.panel.items}
    guilty = {type_of[cell.name] for cell in failing}
    for kind in screening.cells:
        if kind.level == "type" and kind.selected == "fail" and kind.name not in guilty:
            failing += [cell for cell in cells if type_of[cell.name] == kind.name and cell.selected == "too few"]
    return failing


def _leak(cell: Cell, tries: int) -> str:
    cue = f" by {cell.cues[0].name}" if cell.cues else ""
    after = f" after {tries} repair{'s' * (tries > 1)}" if tries else ""
    return (
        f"{cell.name}: {cell.worst.reader} answers {cell.worst.accuracy:.1%} of {cell.n} without the image{cue}{after}"
        f", chance {cell.chance:.1%}"
    )


class _Rounds:
    """The questions on their way through the rounds."""

    def __init__(self, questions: Sequence[Question], config: ScreeningConfig, rewrite: Rewriter | None) -> None:
        canonical, rejections = canonicalise(questions)
        self._unbalanced = unbalanced_sets(questions)
        self.kept, lost = restore_balance(canonical, self._unbalanced, "screening")
        self.rejections = rejections + lost
        self.repairs: list[Repair] = []
        self.dropped: list[Cell] = []
        self._config, self._rewrite = config, rewrite
        self._tries: Counter[str] = Counter()
        self.field_of = {question.question_id: question.field_id for question in questions}

    def treat(self, cell: Cell) -> None:
        """Repair a failing cell, or drop it where nothing can be done any more."""
        members = [question for question in self.kept if question.cell == cell.name]
        made = self._repaired(cell, members)
        if made is None:
            self.dropped.append(cell)
            made = [NotRepaired("leaks", _leak(cell, self._tries[cell.name]))] * len(members)
        new_of = dict(zip((question.question_id for question in members), made, strict=True))
        for name, new in new_of.items():
            if isinstance(new, NotRepaired):
                self.rejections.append(Rejection(name, "screening", new.reason, new.detail))
        line = [new_of.get(question.question_id, question) for question in self.kept]
        whole = [question for question in line if isinstance(question, Question)]
        self.field_of |= {question.question_id: question.field_id for question in whole}
        canonical, rejections = canonicalise(whole)
        self.kept, lost = restore_balance(canonical, self._unbalanced, "screening")
        self.rejections += rejections + lost

    def _repaired(self, cell: Cell, members: Sequence[Question]) -> list[Question | NotRepaired] | None:
        number = self._tries[cell.name] + 1
        if number <= self._config.rounds:
            for repair in plan_repairs(cell, number):
                made = repaired(members, repair, self._config.seed, self._rewrite)
                if made is not None:
                    self._tries[cell.name] = number
                    self.repairs.append(repair)
                    return made
        return None


def screen_and_drop(
    questions: Sequence[Question],
    config: ScreeningConfig,
    readers: Sequence[TextReader] | None = None,
    rewrite: Rewriter | None = None,
) -> Outcome:
    """Screen questions, repair or drop failing cells, and screen what is left again until no cell fails.

    A cell is repaired at most `config.rounds` times, by the operations that `constraints.yaml` names for its first cue;
    `rewrite` is given the constraints that follow from all its cues. The readers are fitted anew in every round. The
    certifier has no say in what is repaired or dropped. `readers` are those from outside; None makes those of `config`.
    """
    readers = outside_readers(config) if readers is None else readers
    line = _Rounds(questions, config, rewrite)
    rounds: list[Screening] = []
    while line.kept:
        numbered = config.model_copy(update={"round": config.round + len(rounds)})
        rounds.append(screen([item_of(question) for question in line.kept], numbered, readers))
        failing = failing_cells(rounds[-1]) if config.on_fail == "drop" else []
        for cell in failing:
            line.treat(cell)
        if not failing:
            break
    rejected = tuple(with_origin(line.rejections, line.field_of.get))
    return Outcome(tuple(line.kept), rejected, tuple(rounds), tuple(line.dropped), tuple(line.repairs))
