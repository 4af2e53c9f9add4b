"""Screening as a stage: questions in, questions that pass out, everything else counted with a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow import schema_of
from schemas.records import Question, Rejection, Verdict
from tasks.rebalance import restore_balance
from tasks.screening.board import TextReader
from tasks.screening.canonical import canonicalise
from tasks.screening.config import ScreeningConfig
from tasks.screening.items import item_of
from tasks.screening.report import full_report, leak_table, write_html
from tasks.screening.screen import Cell, Screening, screen
from tasks.store import ShardWriter


@dataclass(frozen=True)
class Outcome:
    """What the stage made of its questions: `rounds` are the screenings, first to last."""

    kept: tuple[Question, ...]
    rejections: tuple[Rejection, ...]
    rounds: tuple[Screening, ...]
    dropped: tuple[Cell, ...]

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
    """Return the cells to drop, on the word of the readers that may select.

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


def _leak(question: Question, cell: Cell) -> Rejection:
    cue = f" by {cell.cues[0].name}" if cell.cues else ""
    detail = (
        f"{cell.name}: {cell.worst.reader} answers {cell.worst.accuracy:.1%} of {cell.n} without the image{cue}, "
        f"chance {cell.chance:.1%}"
    )
    return Rejection(question.question_id, "screening", "leaks", detail)


def screen_and_drop(
    questions: Sequence[Question], config: ScreeningConfig, readers: Sequence[TextReader] = ()
) -> Outcome:
    """Screen questions, drop failing cells, and screen what is left again until no cell fails.

    Raises:
        InputError: no question is fit to be read.
    """
    canonical, rejections = canonicalise(questions)
    kept, lost = restore_balance(questions, canonical, "screening")
    rejections += lost
    rounds: list[Screening] = []
    dropped: list[Cell] = []
    while kept:
        rounds.append(screen([item_of(question) for question in kept], config, readers))
        failing = {cell.name: cell for cell in failing_cells(rounds[-1])} if config.on_fail == "drop" else {}
        if not failing:
            break
        dropped += failing.values()
        rejections += [_leak(question, failing[question.cell]) for question in kept if question.cell in failing]
        kept = [question for question in kept if question.cell not in failing]
    return Outcome(tuple(kept), tuple(rejections), tuple(rounds), tuple(dropped))


def _verdicts(outcome: Outcome) -> pa.Table:
    """Return each question's verdicts from the last screening that read it."""
    tables = [schema_of(Verdict).empty_table()]
    for this, later in zip(outcome.rounds, (*outcome.rounds[1:], None), strict=False):
        table = this.verdict_table()
        if later is not None:
            again = pa.array([item.item_id for item in later.panel.items])
            table = table.filter(pc.invert(pc.is_in(table["question_id"], value_set=again)))
        tables.append(table)
    return pa.concat_tables(tables)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def screen_questions(
    questions: Sequence[Question], config: ScreeningConfig, out: ShardWriter, readers: Sequence[TextReader] = ()
) -> Outcome:
    """Screen questions and write the stage's shard.

    Writes the tables `questions` (kept), `verdicts` and `rejections`; `cells.json` (the leak table: a list of
    `{reader, cell, accuracy, low, high, n, verdict}`), `screening.json` (everything: every reader in every part, cues,
    rounds), `flagged.json` (kept questions for review with the reasons) and `screening.html`.

    Args:
        questions: drafted questions.
        config: readers and gates.
        out: the shard; its counts are closed here.
        readers: readers from outside, e.g. language models.
    """
    outcome = screen_and_drop(questions, config, readers)
    out.write_records("questions", outcome.kept, Question)
    out.write("verdicts", _verdicts(outcome))
    if outcome.rounds:
        write_html(out.path("screening.html"), outcome.rounds, outcome.rejections, title="Leakage screening")
        out.facts["screening"] = outcome.rounds[-1].summary()
    _write_json(out.path("cells.json"), leak_table(outcome.rounds))
    _write_json(out.path("screening.json"), full_report(outcome.rounds, outcome.rejections))
    _write_json(out.path("flagged.json"), outcome.flagged)
    out.facts["flagged"] = len(outcome.flagged)
    out.facts["cells_dropped"] = sorted(cell.name for cell in outcome.dropped)
    out.count(items_in=len(questions), items_out=len(outcome.kept), rejections=outcome.rejections)
    return outcome
