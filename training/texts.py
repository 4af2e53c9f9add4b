"""The text side of a split: every distinct text once, and what each field has to do with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schemas.records.shared import SCALES
from training.release import Release, Split

MOST_VALUES = 32
"""Values of one attribute that are set against one another in a step."""


@dataclass(slots=True)
class FieldTexts:
    """Indices into `TextBook.texts` of one field's texts."""

    captions: list[int] = field(default_factory=list)
    full: list[int] = field(default_factory=list)
    negatives: dict[int, list[int]] = field(default_factory=dict)
    questions: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    findings: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    true: set[int] = field(default_factory=set)
    concepts: set[str] = field(default_factory=set)


class TextBook:
    """All texts of one split, without repetition, and per field which of them are true, false or asked.

    A caption that stands for several fields is one text: it is a positive of all of them, never a false negative.

    Attributes:
        texts: the distinct texts, in order of first use.
        concepts: per text the concepts that it asserts; empty where unknown.
        scales: per text the scales that it speaks of; empty where it speaks of the field, or of what is unknown.
        fields: per field id its texts.
        dropped: perturbations left out, by reason.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.concepts: list[frozenset[str]] = []
        self.scales: list[frozenset[str]] = []
        self.fields: defaultdict[str, FieldTexts] = defaultdict(FieldTexts)
        self.dropped: dict[str, int] = {"not_certified": 0, "reads_like_a_true_caption": 0}
        self._index: dict[str, int] = {}

    def add(self, text: str, concepts: frozenset[str] = frozenset(), scales: Iterable[str | None] = ()) -> int:
        """Return the index of a text, adding it where it is new; `scales` are those that it speaks of, where known."""
        index = self._index.setdefault(text, len(self.texts))
        if index == len(self.texts):
            self.texts.append(text)
            self.concepts.append(concepts)
            self.scales.append(frozenset(scale for scale in scales if scale))
        elif concepts and not self.concepts[index]:
            self.concepts[index] = concepts
        return index

    @classmethod
    def read(cls, release: Release, split: Split) -> TextBook:
        """Return the texts of one split of a release.

        Raises:
            InputError: the split has no captions.
        """
        book = cls()
        captions = book._read_captions(release, split)
        book._read_perturbations(release, split, captions)
        book._read_questions(release, split)
        book._read_findings(release, split)
        return book

    def _read_captions(self, release: Release, split: Split) -> dict[str, tuple[str, int]]:
        columns = ["caption_id", "field_id", "scale", "level", "text", "concept_ids"]
        places = {}
        for row in _rows(release.read("captions", split, columns)):
            concepts = frozenset(row["concept_ids"])
            text = self.add(row["text"], concepts, [row["scale"]])
            texts = self.fields[row["field_id"]]
            (texts.full if row["level"] == "full" else texts.captions).append(text)
            texts.true.add(text)
            texts.concepts |= concepts
            places[row["caption_id"]] = (row["field_id"], text)
        return places

    def _read_perturbations(self, release: Release, split: Split, captions: dict[str, tuple[str, int]]) -> None:
        columns = ["caption_id", "scale", "text", "operator", "certified_false"]
        for row in _rows(release.read("perturbations", split, columns, required=False)):
            place = captions.get(row["caption_id"])
            if not row["certified_false"] or place is None:
                self.dropped["not_certified"] += 1
                continue
            texts = self.fields[place[0]]
            text = self.add(row["text"], scales=[None if row["operator"] == "rescale" else row["scale"]])
            if text in texts.true:
                self.dropped["reads_like_a_true_caption"] += 1
                continue
            texts.negatives.setdefault(place[1], []).append(text)

    def _read_questions(self, release: Release, split: Split) -> None:
        columns = ["field_id", "scales", "question", "options", "answer_index"]
        for row in _rows(release.read("questions", split, columns, required=False)):
            texts = (option_text(row["question"], option) for option in row["options"])
            options = tuple(self.add(text, scales=row["scales"]) for text in texts)
            self.fields[row["field_id"]].questions.append((options, row["answer_index"]))

    def _read_findings(self, release: Release, split: Split) -> None:
        values: dict[str, set[str]] = defaultdict(set)
        shown: list[tuple[str, str, str, str]] = []
        for row in _rows(release.read("fields", split, ["field_id", "features"], required=False)):
            for feature in row["features"]:
                if feature["polarity"] == "present":
                    values[feature["attribute"]].add(feature["value"])
                    shown.append((row["field_id"], feature["scale"], feature["attribute"], feature["value"]))
        for field_id, scale, attribute, value in shown:
            if field_id in self.fields and len(values[attribute]) > 1:
                others = sorted(values[attribute])
                options = tuple(self.add(finding_text(attribute, other), scales=[scale]) for other in others)
                self.fields[field_id].findings.append((options, others.index(value)))


def finding_text(attribute: str, value: str) -> str:
    """Return the text of one finding alone."""
    return f"{attribute.replace('_', ' ')}: {value.replace('_', ' ')}"


def option_text(question: str, option: str) -> str:
    """Return the text by which an option is scored against the image."""
    return f"{question} {option}"


def _rows(table: Any) -> Any:
    for batch in table.to_batches(max_chunksize=4096):
        yield from batch.to_pylist()


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
