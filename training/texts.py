"""The text side of a split: every distinct text once, and what each field has to do with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from training.release import Release, Split


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
