"""Features that the fitted readers learn from; made once and shared by all folds. None of them knows a position."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.screening.items import Floats, Ints, Panel
from tasks.screening.lexical import centred, cue_matrix, option_numbers, ranked, standardised
from tasks.screening.words import Lexicon, expand, lexicon_of

FOREST_WORDS = 64


@dataclass(frozen=True)
class WordTable:
    """TF-IDF of words and word pairs, by file and by cell: `values` (m, w) CSR, and what each column stands for."""

    values: Any
    words: tuple[str, ...]


@dataclass(frozen=True)
class Features:
    """Everything that text-only readers may look at, in the shapes they want."""

    panel: Panel
    vocabulary_limit: int

    @cached_property
    def lexicon(self) -> Lexicon:
        """Words of every question and option."""
        return lexicon_of(self.panel)

    @cached_property
    def numbers(self) -> Ints:
        """Number (m,) of every option's text, equal for equal texts."""
        return option_numbers(self.panel)

    @cached_property
    def raw(self) -> Floats:
        """Raw cues (m, c)."""
        return cue_matrix(self.panel, self.lexicon)

    @cached_property
    def linear(self) -> Floats:
        """z-values and centred ranks of the cues (m, 2c), for the logistic reader."""
        return np.hstack([standardised(self.panel, self.raw), 2.0 * ranked(self.panel, self.raw) - 1.0])

    @cached_property
    def trees(self) -> NDArray[np.float32]:
        """Raw, centred and ranked cues, number of options and cell (m, 3c + 2), for boosting."""
        place = [self.panel.sizes[self.panel.of], self.panel.cell[self.panel.of]]
        parts = [self.raw, centred(self.panel, self.raw), ranked(self.panel, self.raw), np.column_stack(place)]
        return np.hstack(parts).astype(np.float32)

    @cached_property
    def forest(self) -> NDArray[np.float32]:
        """Centred and ranked cues and the most telling frequent words, centred (m, 2c + 64), for the forest."""
        words = self.words.values
        filled = np.asarray((words != 0).sum(axis=0)).ravel()
        most = np.sort(np.argsort(-filled, kind="stable")[:FOREST_WORDS])
        held = (words[:, most].toarray() != 0).astype(np.float64)
        parts = [centred(self.panel, self.raw), ranked(self.panel, self.raw), centred(self.panel, held)]
        return np.hstack(parts).astype(np.float32)

    @cached_property
    def words(self) -> WordTable:
        """TF-IDF words and word pairs of the options, for the TF-IDF reader."""
        return word_table(self.panel, self.lexicon, self.vocabulary_limit)


def _pairs(lexicon: Lexicon) -> tuple[Ints, Ints, dict[int, str]]:
    """Return (option row, pair number) of neighbouring words, pairs numbered after the single words."""
    width = max(len(lexicon.vocabulary), 1)
    text = np.repeat(np.arange(len(lexicon.text_lengths)), lexicon.text_lengths)
    inside = text[:-1] == text[1:]  # neighbours within one text
    pairs = (lexicon.text_words[:-1] * width + lexicon.text_words[1:])[inside]
    distinct, numbered = np.unique(pairs, return_inverse=True)
    held = np.unique(text[:-1][inside] * max(len(distinct), 1) + numbered)
    lengths = np.bincount(held // max(len(distinct), 1), minlength=len(lexicon.text_lengths))
    rows, at = expand(lengths, lexicon.text_of)
    names = {
        width + place: f"{lexicon.vocabulary[code // width]} {lexicon.vocabulary[code % width]}"
        for place, code in enumerate(distinct.tolist())
    }
    return rows, width + held[at] % max(len(distinct), 1), names


def _telling(panel: Panel, rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Return which columns can tell options apart: in at least two questions, and not in all options of each."""
    width = int(columns.max(initial=0)) + 1
    options = np.bincount(columns, minlength=width)
    pairs, holders = np.unique(panel.of[rows] * width + columns, return_counts=True)
    questions = np.bincount(pairs % width, minlength=width)
    everywhere = np.bincount(pairs % width, weights=holders == panel.sizes[pairs // width], minlength=width)
    return (questions >= 2) & (options >= 2) & (everywhere < questions)


def word_table(panel: Panel, lexicon: Lexicon, limit: int) -> WordTable:
    """Return TF-IDF (rows of unit length) of words and word pairs that tell options apart, the most frequent first.

    Where a file has several cells, each word also stands once per cell, so that a word may mean different things in
    different cells.
    """
    from scipy.sparse import csr_matrix, hstack

    pair_rows, pair_columns, names = _pairs(lexicon)
    rows = np.concatenate([lexicon.option_row, pair_rows])
    columns = np.concatenate([lexicon.option_word, pair_columns])
    telling = _telling(panel, rows, columns)
    frequency = np.where(telling, np.bincount(columns, minlength=len(telling)), 0)
    kept = np.sort(np.argsort(-frequency, kind="stable")[: min(limit, int(telling.sum()))])
    place = np.full(len(telling), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    inside = place[columns] >= 0 if len(columns) else np.zeros(0, dtype=bool)
    rows, columns = rows[inside], place[columns[inside]]
    words = [lexicon.vocabulary[c] if c < len(lexicon.vocabulary) else names[c] for c in kept.tolist()]
    idf = np.log((1.0 + len(panel.of)) / (1.0 + frequency[kept])) + 1.0
    weight = idf[columns]
    norm = np.sqrt(np.bincount(rows, weights=weight**2, minlength=len(panel.of)))
    shape = (len(panel.of), len(kept))
    table = csr_matrix((weight / norm[rows], (rows, columns)), shape=shape)
    if len(panel.cells) == 1 or not len(kept):
        return WordTable(table, tuple(words))
    crossed = panel.cell[panel.of][rows] * len(kept) + columns
    distinct, numbered = np.unique(crossed, return_inverse=True)
    by_cell = csr_matrix((weight / norm[rows], (rows, numbered)), shape=(len(panel.of), len(distinct)))
    labels = [f"{words[code % len(kept)]} (in {panel.cells[code // len(kept)]})" for code in distinct.tolist()]
    return WordTable(hstack([table, by_cell], format="csr"), (*words, *labels))
