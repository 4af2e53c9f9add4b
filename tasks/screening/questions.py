"""Screening as a stage: questions in, questions that pass out, everything else counted with a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow import schema_of
from schemas.records import Question, Verdict
from tasks.screening.board import TextReader
from tasks.screening.config import ScreeningConfig
from tasks.screening.repair import Rewriter
from tasks.screening.report import full_report, leak_table, write_html
from tasks.screening.rounds import Outcome, screen_and_drop
from tasks.store import ShardWriter


def _verdicts(outcome: Outcome) -> pa.Table:
    """Return the verdicts of every question that is kept or rejected, from the last screening that read it."""
    wanted = {question.question_id for question in outcome.kept} | {row.item_id for row in outcome.rejections}
    tables = [schema_of(Verdict).empty_table()]
    for screening in reversed(outcome.rounds):
        table = screening.verdict_table()
        tables.insert(1, table.filter(pc.is_in(table["question_id"], value_set=pa.array(sorted(wanted), pa.string()))))
        wanted -= {item.item_id for item in screening.panel.items}
    return pa.concat_tables(tables)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def screen_questions(
    questions: Sequence[Question],
    config: ScreeningConfig,
    out: ShardWriter,
    readers: Sequence[TextReader] | None = None,
    rewrite: Rewriter | None = None,
) -> Outcome:
    """Screen questions and write the stage's shard.

    Writes the tables `questions` (kept), `verdicts` and `rejections`; `cells.json` (the leak table: a list of
    `{reader, cell, accuracy, low, high, n, verdict}`), `screening.json` (everything: every reader in every part, cues,
    rounds, repairs), `flagged.json` (kept questions for review with the reasons) and `screening.html`.

    Args:
        questions: drafted questions.
        config: readers and gates.
        out: the shard; its counts are closed here.
        readers: readers from outside; None makes those of `config`.
        rewrite: writes the questions of a failing cell anew, under the constraints of its cues.
    """
    outcome = screen_and_drop(questions, config, readers, rewrite)
    out.write_records("questions", outcome.kept, Question)
    out.write("verdicts", _verdicts(outcome))
    if outcome.rounds:
        write_html(
            out.path("screening.html"),
            outcome.rounds,
            outcome.rejections,
            title="Leakage screening",
            repairs=outcome.repairs,
        )
        out.facts["screening"] = outcome.rounds[-1].summary()
    _write_json(out.path("cells.json"), leak_table(outcome.rounds))
    _write_json(out.path("screening.json"), full_report(outcome.rounds, outcome.rejections, outcome.repairs))
    _write_json(out.path("flagged.json"), outcome.flagged)
    out.facts["flagged"] = len(outcome.flagged)
    out.facts["cells_dropped"] = sorted(cell.name for cell in outcome.dropped)
    out.facts["cells_repaired"] = sorted({repair.cell for repair in outcome.repairs})
    out.count(items_in=len(questions), items_out=len(outcome.kept), rejections=outcome.rejections)
    return outcome
