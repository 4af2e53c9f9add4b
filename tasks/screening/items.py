"""The neutral form of a multiple-choice question, ours or anybody's, and its arrays."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InputError
from schemas.records import Question

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_OPTIONS, MAX_OPTIONS = 2, 26
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Item:
    """One multiple-choice question as a text-only reader sees it.

    `group` is the patient (or slide), the unit that folds and intervals keep whole; empty means a group of its own.
    `cell` is what passes or fails; `type` gathers cells for the report; `option_set` names a counterbalanced set.
    """

    item_id: str
    question: str
    options: tuple[str, ...]
    key: int
    group: str = ""
    cell: str = "all"
    type: str = "all"
    option_set: str | None = None

    def __post_init__(self) -> None:
        if not MIN_OPTIONS <= len(self.options) <= MAX_OPTIONS:
            raise InputError(
                f"item {self.item_id} has {len(self.options)} options", remedy="give 2 to 26 options per question"
            )
        if not 0 <= self.key < len(self.options):
            raise InputError(
                f"item {self.item_id} has key {self.key} of {len(self.options)} options",
                remedy="the key is the index of an option, from 0",
            )


def normalised(text: str) -> str:
    """Return text for comparison: NFKC, case-folded, single spaces, no closing punctuation."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".;,: ")


def shown(text: str) -> str:
    """Return text as it looks: NFC, single spaces. Case and small figures tell options apart: AA, Aa; 10², 102."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def item_of(question: Question) -> Item:
    """Return a question record in neutral form."""
    return Item(
        item_id=question.question_id,
        question=question.question,
        options=question.options,
        key=question.answer_index,
        group=question.patient_id or question.slide_id,
        cell=question.cell,
        type=question.dimension,
        option_set=None if question.option_set_id is None else f"{question.option_set_id}/{question.split}",
    )


@dataclass(frozen=True)
class Panel:
    """Items as flat arrays over options: options of item i are rows `starts[i] : starts[i] + sizes[i]`.

    Shapes: n items, m options in all; `of` (m,), everything else (n,).
    """

    items: tuple[Item, ...]
    starts: Ints
    sizes: Ints
    of: Ints
    key_row: Ints
    cell: Ints
    cells: tuple[str, ...]
    group: Ints
    groups: int

    @cached_property
    def chance(self) -> Floats:
        """One over the number of options, per item."""
        return 1.0 / self.sizes

    def total(self, values: NDArray[np.floating]) -> Floats:
        """Return the sum over each item's options, shape (n, ...)."""
        return np.add.reduceat(values, self.starts, axis=0)

    def top(self, values: NDArray[np.floating]) -> Floats:
        """Return the maximum over each item's options, shape (n, ...)."""
        return np.maximum.reduceat(values, self.starts, axis=0)

    def by_size(self) -> list[tuple[int, Ints, Ints]]:
        """Return (k, items with k options, their rows as (items, k)) for every k that occurs."""
        parts = []
        for size in np.unique(self.sizes):
            which = np.flatnonzero(self.sizes == size)
            parts.append((int(size), which, self.starts[which][:, None] + np.arange(size)))
        return parts

    def log_softmax(self, scores: Floats) -> Floats:
        """Return log p over each item's options of scores (m,) or (m, r)."""
        shifted = scores - self.top(scores)[self.of]
        return np.asarray(shifted - np.log(self.total(np.exp(shifted)))[self.of])

    def credit(self, scores: Floats, key_row: Ints | None = None) -> Floats:
        """Return each item's expected correctness (n, ...): ties at the top share one."""
        best = scores >= self.top(scores)[self.of] - 1e-9
        rows = self.key_row if key_row is None else key_row
        return best[rows] / self.total(best.astype(np.float64))


def panel_of(items: Sequence[Item]) -> Panel:
    """Return items as arrays, in the order given; an item without group is a group of its own."""
    sizes = np.array([len(item.options) for item in items], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    names = tuple(sorted({item.cell for item in items}))
    place = {name: index for index, name in enumerate(names)}
    members: dict[tuple[str, int], int] = {}
    group = [members.setdefault((item.group, -1 if item.group else i), len(members)) for i, item in enumerate(items)]
    return Panel(
        items=tuple(items),
        starts=starts,
        sizes=sizes,
        of=np.repeat(np.arange(len(items)), sizes),
        key_row=starts + np.array([item.key for item in items], dtype=np.int64),
        cell=np.array([place[item.cell] for item in items], dtype=np.int64),
        cells=names,
        group=np.array(group, dtype=np.int64),
        groups=len(members),
    )
