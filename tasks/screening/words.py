"""Words of questions and options: tokens, closed word lists, and flat (text, word) entries shared by all readers."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tasks.screening.items import Ints, Panel

# A run of letters and digits, hyphens and apostrophes inside; scripts without spaces are read character by character.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\W_]+(?:['\u2019-][^\W_]+)*"
)

LISTS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in yaml.safe_load((Path(__file__).parent / "cue_words.yaml").read_text(encoding="utf-8")).items()
}


def tokens(text: str) -> list[str]:
    """Return the words of a text, case-folded."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class Lexicon:
    """Distinct words of every option and question as entries (row, word); words are numbered by first appearance.

    Shapes: `option_row`, `option_word`, `option_count` (entries of options); `question_row`, `question_word` (entries
    of questions, rows are items); `n_words` (m,) tokens per option; `text_words` the tokens of all distinct texts one
    after the other, `text_lengths` tokens per text, `text_of` (m,) each option's text; `in_list` (lists, vocabulary).
    """

    vocabulary: tuple[str, ...]
    option_row: Ints
    option_word: Ints
    option_count: Ints
    question_row: Ints
    question_word: Ints
    n_words: Ints
    text_words: Ints
    text_lengths: Ints
    text_of: Ints
    in_list: Ints


class _Numbering:
    """Numbers words by first appearance; each distinct text is read once, its word numbers stand in `flat`."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}
        self.texts: dict[str, int] = {}
        self.flat: list[int] = []
        self.lengths: list[int] = []

    def number(self, text: str) -> int:
        place = self.texts.get(text)
        if place is None:
            place = self.texts[text] = len(self.texts)
            words = tokens(text)
            self.lengths.append(len(words))
            self.flat += [self.words.setdefault(word, len(self.words)) for word in words]
        return place


def expand(lengths: Ints, text_of: Ints) -> tuple[Ints, Ints]:
    """Return (row, place) of every entry of rows' texts, whose entries stand one after the other."""
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    per_row = lengths[text_of]
    rows = np.repeat(np.arange(len(text_of)), per_row)
    inside = np.arange(len(rows)) - np.repeat(np.cumsum(per_row) - per_row, per_row)
    return rows, firsts[text_of][rows] + inside


def lexicon_of(panel: Panel) -> Lexicon:
    """Return the words of a panel; a text that occurs often is read once."""
    numbering = _Numbering()
    option_text = np.array([numbering.number(text) for item in panel.items for text in item.options], dtype=np.int64)
    question_text = np.array([numbering.number(item.question) for item in panel.items], dtype=np.int64)
    lengths = np.array(numbering.lengths, dtype=np.int64)
    flat = np.array(numbering.flat, dtype=np.int64)
    vocabulary = tuple(numbering.words)
    width = max(len(vocabulary), 1)
    codes, counts = np.unique(np.repeat(np.arange(len(lengths)), lengths) * width + flat, return_counts=True)
    distinct = np.bincount(codes // width, minlength=len(lengths))
    option_row, option_at = expand(distinct, option_text)
    question_row, question_at = expand(distinct, question_text)
    return Lexicon(
        vocabulary=vocabulary,
        option_row=option_row,
        option_word=codes[option_at] % width,
        option_count=counts[option_at],
        question_row=question_row,
        question_word=codes[question_at] % width,
        n_words=lengths[option_text],
        text_words=flat,
        text_lengths=lengths,
        text_of=option_text,
        in_list=np.array([[word in words for word in vocabulary] for words in LISTS.values()], dtype=np.int64),
    )
