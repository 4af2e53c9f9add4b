"""Screening of a set of items: readers, gates, and the leaks they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrow import from_table, schema_of
from schemas.errors import InputError
from schemas.records import Verdict
from tasks.screening.board import CERTIFIER, Board, TextReader, make_board
from tasks.screening.config import ScreeningConfig
from tasks.screening.cues import Cue, cell_cues, item_cues
from tasks.screening.features import Features
from tasks.screening.folds import assign_folds
from tasks.screening.gates import Gate, ItemGate, Level, ReaderCell, cell_gate, item_gate, strata_of
from tasks.screening.importance import Importance, cue_importance
from tasks.screening.items import Ints, Item, Panel, panel_of

# Only readers that were fitted, or that know the language, can say that a cell is clean; the others can only fail it.
DECIDING = ("fitted", CERTIFIER, "language_model", "endpoint")


@dataclass(frozen=True, slots=True)
class Flag:
    """Why one item was flagged: which reader, how sure of the key, by which cue."""

    reader: str
    p: float
    cue: str


@dataclass(frozen=True, slots=True)
class Cell:
    """The judgement on one part: by all readers, and by those that may select (without the certifier).

    `needed` items would about decide a part that is too small, `undecided` is the reader that needs them; 0 and empty
    where the part is decided.
    """

    name: str
    level: Level
    n: int
    groups: int
    chance: float
    verdict: Gate
    selected: Gate
    worst: ReaderCell
    needed: int
    undecided: str
    cues: tuple[Cue, ...]
    importance: tuple[Importance, ...]


@dataclass(frozen=True)
class Screening:
    """What screening found."""

    config: ScreeningConfig
    panel: Panel
    board: Board
    fold: Ints
    gate: ItemGate
    rows: tuple[ReaderCell, ...]
    cells: tuple[Cell, ...]
    item_flags: dict[str, tuple[Flag, ...]]

    @property
    def certifier(self) -> ReaderCell | None:
        """The held-back reader over the whole file; None where there is none."""
        return next(
            (row for row in reversed(self.rows) if row.family == CERTIFIER and row.cell == self.whole.name), None
        )

    @property
    def whole(self) -> Cell:
        """The judgement on the whole file."""
        return self.cells[-1]

    @property
    def failing(self) -> tuple[Cell, ...]:
        """Cells, types or the whole file that some reader, the certifier included, answers from text."""
        return tuple(cell for cell in self.cells if cell.verdict == "fail")

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """One record per item and reader."""
        return from_table(self.verdict_table(), Verdict)

    def verdict_table(self) -> pa.Table:
        """Return one row per item and reader, items in the order given."""
        n, r = len(self.panel.items), len(self.board.names)
        trained = np.array(self.board.trained)
        columns: dict[str, Any] = {
            "question_id": pa.array([item.item_id for item in self.panel.items]).take(np.repeat(np.arange(n), r)),
            "reader": pa.array(self.board.names).take(np.tile(np.arange(r), n)),
            "family": pa.array(self.board.families).take(np.tile(np.arange(r), n)),
            "p_key": self.gate.p_key.ravel(),
            "argmax": self.gate.argmax.ravel(),
            "fold": np.where(trained[None, :], self.fold[:, None], -1).ravel(),
            "pvi_bits": self.gate.pvi_bits.ravel(),
            "flagged": self.gate.flagged.ravel(),
            "round": np.full(n * r, self.config.round),
        }
        schema = schema_of(Verdict)
        return pa.Table.from_arrays([pa.array(columns[name]) for name in schema.names], schema=schema)

    def summary(self) -> dict[str, Any]:
        """Return the counts and verdicts that a run report shows, as plain values."""
        by_verdict = {gate: sum(cell.verdict == gate for cell in self.cells if cell.level == "cell") for gate in _GATES}
        whole = (self.whole.level, self.whole.name)
        strongest = max((row for row in self.rows if (row.level, row.cell) == whole), key=lambda row: row.accuracy)
        certifier = self.certifier
        return {
            "items": len(self.panel.items),
            "groups": self.panel.groups,
            "cells": by_verdict,
            "verdict": self.whole.verdict if not self.failing else "fail",
            "chance": round(self.whole.chance, 4),
            "strongest_reader": strongest.reader,
            "strongest_accuracy": round(strongest.accuracy, 4),
            "certifier": None if certifier is None else certifier.reader,
            "certifier_accuracy": None if certifier is None else round(certifier.accuracy, 4),
            "certifier_verdict": None if certifier is None else certifier.verdict,
            "flagged": len(self.item_flags),
            "unread": self.board.unread,
        }


_GATES: tuple[Gate, ...] = ("pass", "fail", "too few")


def _verdict_of(rows: list[ReaderCell]) -> Gate:
    if any(row.verdict == "fail" for row in rows):
        return "fail"
    deciding = [row for row in rows if row.family in DECIDING]
    return "pass" if deciding and all(row.verdict == "pass" for row in deciding) else "too few"


def _needed(rows: list[ReaderCell], config: ScreeningConfig) -> tuple[int, str]:
    """Return about how many items a clean cell needs before its widest deciding interval fits under the margin.

    The reader of that interval comes with the number.
    """
    widest = max((row for row in rows if row.family in DECIDING), key=lambda row: row.high - row.low, default=None)
    width = (widest.high - widest.low) / 2.0 if widest else 0.0
    enough = rows[0].n * (width / (0.5 * config.margin)) ** 2
    return max(int(np.ceil(enough)), config.min_items), widest.reader if widest else ""


def _distance(row: ReaderCell) -> tuple[float, bool, float]:
    """Return how far from chance a reader is; of equals one that decides is further, and then one less sure."""
    return round(abs(row.accuracy - row.chance), 6), row.family in DECIDING, row.high


def _judge(
    rows: Sequence[ReaderCell], features: Features, fold: Ints, board: Board, gate: ItemGate, config: ScreeningConfig
) -> list[Cell]:
    panel, credit = features.panel, features.panel.credit(board.values)
    width = len(board.names)
    readers = (board.names, board.cues)
    cells = []
    for place, (level, name, members) in enumerate(strata_of(panel)):
        part = list(rows[place * width : (place + 1) * width])
        selecting = [part[column] for column in board.selecting()]
        verdict = _verdict_of(part)
        needed, undecided = _needed(part, config) if verdict == "too few" else (0, "")
        leaks = [row for row in part if row.verdict == "fail"]
        leaning = {row.reader: board.models[row.reader] for row in leaks if row.reader in board.models}
        cells.append(
            Cell(
                name=name,
                level=level,
                n=part[0].n,
                groups=part[0].groups,
                chance=part[0].chance,
                verdict=verdict,
                selected=_verdict_of(selecting),
                worst=max(leaks or part, key=_distance),
                needed=needed,
                undecided=undecided,
                cues=cell_cues(panel, members, readers, gate.pvi_bits, credit) if verdict == "fail" else (),
                importance=cue_importance(features, fold, leaning, members, config.seed),
            )
        )
    return cells


def _flags(panel: Panel, board: Board, gate: ItemGate) -> dict[str, tuple[Flag, ...]]:
    items = np.flatnonzero(gate.flagged.any(axis=1))
    cues = item_cues(items, board.cues, gate.pvi_bits)
    flags = {}
    for i, cue in zip(items.tolist(), cues, strict=True):
        columns = np.flatnonzero(gate.flagged[i]).tolist()
        columns.sort(key=lambda column: (-gate.p_key[i, column], column))
        flags[panel.items[i].item_id] = tuple(
            Flag(board.names[c], round(float(gate.p_key[i, c]), 4), board.cues[c] or cue) for c in columns
        )
    return flags


def screen(items: Sequence[Item], config: ScreeningConfig, readers: Sequence[TextReader] = ()) -> Screening:
    """Ask every text-only reader for the keys, and judge items and cells by what they find.

    Args:
        items: two or more options each, ids distinct; the order is kept.
        config: families, folds, gates.
        readers: readers from outside, as `outside_readers` makes them of a configuration.

    Returns:
        Verdicts, cells with their cues, flagged items. Depends on items, configuration and outside readers alone.

    Raises:
        InputError: there is no item.
    """
    if not items:
        raise InputError("there is no question to screen", remedy="give at least one question with options and a key")
    panel = panel_of(items)
    features = Features(panel, config.vocabulary)
    fold = assign_folds(panel, features.numbers, folds=config.folds, seed=config.seed)
    board = make_board(features, fold, config, readers)
    gate = item_gate(board.values, np.array(board.tiers), panel, config)
    rows = cell_gate(board.values, board.names, board.families, panel, config)
    cells = _judge(rows, features, fold, board, gate, config)
    return Screening(config, panel, board, fold, gate, tuple(rows), tuple(cells), _flags(panel, board, gate))
