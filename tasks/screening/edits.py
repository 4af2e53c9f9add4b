"""Edited questions by themselves: whether the key stands out by a cue as options of these questions do not.

A fitted reader learns from many questions and says nothing of a cue that one or two edits bring in. So each edit is
compared with the questions as they came: how far, at most, does an option have more, or less, of a cue than all others
beside it?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.records import Question
from tasks.screening.config import ScreeningConfig
from tasks.screening.items import Floats, Ints, Item, Panel, item_of, panel_of
from tasks.screening.lexical import CUES
from tasks.screening.rewriting import LONGER, LONGEST_TO_SHORTEST
from tasks.screening.words import LISTS, tokens

LONG_WORD = 4  # letters; articles and prepositions stand in questions and options alike
# Without likeness, capitals and punctuation: mending a slip changes these, and nothing is given away by it.
MEASURED = ("characters", "digits", *LISTS, "question_overlap")
# Lengths a and b with a = ratio * b + more differ by the logarithm of the ratio after this is added to both.
_ADDED = LONGER / (LONGEST_TO_SHORTEST - 1.0)
_LEAST = np.array([np.log(LONGEST_TO_SHORTEST), *[0.0] * (len(MEASURED) - 1)])


def _words(text: str) -> list[str]:
    return tokens(text.replace("-", " "))


def _of_text(text: str) -> tuple[float, ...]:
    words = _words(text)
    counts = (sum(word in members for word in words) for members in LISTS.values())
    return float(np.log(len(text) + _ADDED)), sum(map(str.isdigit, text)), *counts


def _values(items: Sequence[Item]) -> Floats:
    """Return the cues (m, c) of every option."""
    known = {text: (_of_text(text), set(_words(text))) for item in items for text in item.options}
    rows = []
    for item in items:
        asked = {word for word in _words(item.question) if len(word) >= LONG_WORD}
        rows += [(*values, len(words & asked)) for values, words in (known[text] for text in item.options)]
    return np.array(rows, dtype=np.float64)


def _standing_out(panel: Panel, values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return by how much an option has more or less of a cue than any other beside it, else 0; and whether more."""
    above, below = np.zeros_like(values), np.zeros_like(values)
    for _, _, rows in panel.by_size():
        part = values[rows]
        least, less, more, most = np.sort(part, axis=1)[:, [0, 1, -2, -1]].transpose(1, 0, 2)[:, :, None]
        above[rows] = np.where(part == most, part - more, 0.0)
        below[rows] = np.where(part == least, less - part, 0.0)
    return np.maximum(above, below), above >= below


class _Usual:
    """How far options stand out by each cue (c,) before any edit, in a cell or, where it is small, in all."""

    def __init__(self, out: Floats, cell: Ints, config: ScreeningConfig) -> None:
        self._out, self._cell, self._config = out, cell, config
        self._known: dict[int, Floats] = {}

    def bound(self, cell: int, items: int) -> Floats:
        """Return what no more than the share alpha of the options of a cell with so many items is beyond."""
        number = cell if items >= self._config.min_items else -1
        if number not in self._known:
            out = self._out[(self._cell == number) | (number < 0)]
            self._known[number] = np.quantile(out, 1.0 - self._config.alpha, axis=0, method="higher")
        return np.asarray(np.maximum(self._known[number], _LEAST))


def _changed(before: Sequence[Question], after: Sequence[Question]) -> dict[int, Question]:
    """Return the questions whose words changed, by their place before."""
    place = {question.question_id: number for number, question in enumerate(before)}
    pairs = ((place[question.question_id], question) for question in after)
    return {n: new for n, new in pairs if (new.question, new.options) != (before[n].question, before[n].options)}


def given_away(
    before: Sequence[Question], after: Sequence[Question], config: ScreeningConfig
) -> dict[str, list[dict[str, Any]]]:
    """Return the questions whose edit gives the key away by itself, with reasons as screening's flags.

    The key stands out further than it did, and further than all but the share `config.alpha` of the options of the
    questions before any edit, in its cell where that is large enough. A question worded as before is not judged.

    Args:
        before: all questions as they came to review.
        after: those of them that go on, as they are now.
        config: alpha, smallest cell.
    """
    changed = _changed(before, after)
    if not changed:
        return {}
    items = [item_of(question) for question in (*before, *changed.values())]
    panel = panel_of(items)
    out, more = _standing_out(panel, _values(items))
    came = int(panel.starts[len(before)])
    usual = _Usual(out[:came], panel.cell[panel.of[:came]], config)
    sizes = np.bincount(panel.cell[: len(before)], minlength=len(panel.cells))
    flags: dict[str, list[dict[str, Any]]] = {}
    for i, (place, question) in enumerate(changed.items(), start=len(before)):
        key, cell = panel.key_row[i], int(panel.cell[i])
        limit = np.maximum(usual.bound(cell, int(sizes[cell])), out[panel.key_row[place]])
        reasons = [
            {"reader": f"{'most' if more[key, c] else 'least'} {MEASURED[c]}", "p": 1.0, "cue": CUES[MEASURED[c]]}
            for c in np.flatnonzero(out[key] > limit + 1e-9).tolist()
        ]
        if reasons:
            flags[question.question_id] = reasons
    return flags
