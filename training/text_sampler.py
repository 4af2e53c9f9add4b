"""The texts of one training step: what is drawn for each field, and how every text stands to every field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.records.shared import SCALES
from training.texts import FieldTexts, TextBook

MOST_VALUES = 32
"""Values of one attribute that are set against one another in a step."""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """The texts of one step and their relation to its B fields; T distinct texts.

    Attributes:
        texts: indices into the book, T.
        true: (B, T) the text is a caption of the field.
        unknown: (B, T) not a caption of the field, but it asserts nothing that the field lacks: neither.
        drawn: (T,) drawn as a caption of some field; only these are in-batch candidates.
        full: (T,) drawn as an expanded text of some field.
        pairs: per drawn caption with perturbed captions (row, caption column, perturbed columns).
        questions: per question drawn (row, option columns, answer).
        findings: per finding (row, columns of the attribute's values, the one that is there).
        scales: (T, 3) the text speaks of the scale, and of no other; all false where that is unknown.
    """

    texts: list[int]
    true: np.ndarray[Any, np.dtype[np.bool_]]
    unknown: np.ndarray[Any, np.dtype[np.bool_]]
    drawn: np.ndarray[Any, np.dtype[np.bool_]]
    full: np.ndarray[Any, np.dtype[np.bool_]]
    pairs: list[tuple[int, int, list[int]]]
    questions: list[tuple[int, list[int], int]]
    findings: list[tuple[int, list[int], int]]
    scales: np.ndarray[Any, np.dtype[np.bool_]]


class TextSampler:
    """Draws the texts of a step: captions of several levels, perturbed captions, expanded texts and questions.

    Determinism: the draw depends on the seed and the step alone, so that a resumed run repeats it.
    """

    def __init__(self, book: TextBook, *, captions: int, negatives: int, questions: int, seed: int) -> None:
        self._book = book
        self._counts = (captions, negatives, questions)
        self._seed = seed

    def draw(self, field_ids: list[str], step: int) -> TextBatch:
        """Return the texts of one step for B fields."""
        draws = np.random.default_rng([self._seed, 1, step])
        columns: dict[int, int] = {}
        drawn: set[int] = set()
        full: set[int] = set()
        pairs, questions, findings = [], [], []

        def column(text: int) -> int:
            return columns.setdefault(text, len(columns))

        for row, field_id in enumerate(field_ids):
            texts = self._book.fields[field_id]
            chosen = _some(texts.captions, self._counts[0], draws)
            drawn.update(column(text) for text in chosen)
            full.update(column(text) for text in _some(texts.full, 1, draws))
            for caption, wrong in self._negatives(texts, draws):
                pairs.append((row, column(caption), [column(text) for text in wrong]))
            for options, answer in _some(texts.questions, self._counts[2], draws):
                questions.append((row, [column(text) for text in options], answer))
            for options, answer in texts.findings:
                kept, place = _options(options, answer, draws)
                findings.append((row, [column(text) for text in kept], place))
        true, unknown = self._relation(field_ids, list(columns))
        marks = [np.isin(np.arange(len(columns)), sorted(which)) for which in (drawn, full)]
        spoken = np.array([[scale in self._book.scales[text] for scale in SCALES] for text in columns], dtype=bool)
        return TextBatch(list(columns), true, unknown, marks[0], marks[1], pairs, questions, findings, spoken)

    def _negatives(self, texts: FieldTexts, draws: np.random.Generator) -> list[tuple[int, list[int]]]:
        flat = [(caption, wrong) for caption, wrongs in texts.negatives.items() for wrong in wrongs]
        grouped: dict[int, list[int]] = {}
        for caption, wrong in _some(flat, self._counts[1], draws):
            grouped.setdefault(caption, []).append(wrong)
        return list(grouped.items())

    def _relation(self, field_ids: list[str], texts: list[int]) -> tuple[Any, Any]:
        fields = [self._book.fields[field_id] for field_id in field_ids]
        true = np.array([[text in of.true for text in texts] for of in fields], dtype=bool)
        kinds: dict[frozenset[str], int] = {}  # most texts assert nothing known, many the same
        kind = [kinds.setdefault(self._book.concepts[text], len(kinds)) for text in texts]
        possible = np.array([[concepts <= of.concepts for concepts in kinds] for of in fields], dtype=bool)
        return true, possible[:, kind] & ~true


def _options(options: tuple[int, ...], answer: int, draws: np.random.Generator) -> tuple[list[int], int]:
    """Return at most `MOST_VALUES` options, the answer among them, and its place."""
    if len(options) <= MOST_VALUES:
        return list(options), answer
    wrong = _some([option for option in options if option != options[answer]], MOST_VALUES - 1, draws)
    return [options[answer], *wrong], 0


def _some(items: list[Any], count: int, draws: np.random.Generator) -> list[Any]:
    if len(items) <= count:
        return list(items)
    return [items[index] for index in draws.choice(len(items), size=count, replace=False)]
