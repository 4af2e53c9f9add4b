"""What a model is asked at evaluation: hard-negative pairs and questions of one split, with their patients."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schemas.errors import InputError
from training.release import Release, Split
from training.texts import option_text

Scores = npt.NDArray[np.float64]


@dataclass(slots=True)
class Items:
    """Pairs and questions as indices into fields and texts.

    Attributes:
        texts: distinct texts.
        pairs: per pair field, caption text, perturbed text.
        pair_groups: per pair `operator/role`.
        pair_patients: per pair its patient.
        pair_mirrored: per pair whether it is one of a mirrored two.
        questions: per question field, option texts, index of the right one.
        dimensions: per question its dimension.
        question_patients: per question its patient.
    """

    texts: list[str] = field(default_factory=list)
    pairs: list[tuple[int, int, int]] = field(default_factory=list)
    pair_groups: list[str] = field(default_factory=list)
    pair_patients: list[str] = field(default_factory=list)
    pair_mirrored: list[bool] = field(default_factory=list)
    questions: list[tuple[int, list[int], int]] = field(default_factory=list)
    dimensions: list[str] = field(default_factory=list)
    question_patients: list[str] = field(default_factory=list)

    @property
    def chance(self) -> float:
        """Expected accuracy of guessing among the options."""
        return float(np.mean([1 / len(options) for _, options, _ in self.questions]))


def read_items(release: Release, split: Split, places: dict[str, int]) -> Items:
    """Return the hard negatives and questions of the fields that have images.

    Args:
        release: the release.
        split: its split.
        places: index of each field that has images.

    Raises:
        InputError: there is not one pair or not one question.
    """
    items, index = Items(), dict[str, int]()

    def text(value: str) -> int:
        if value not in index:
            index[value] = len(items.texts)
            items.texts.append(value)
        return index[value]

    captions = release.read("captions", split, ["caption_id", "text"]).to_pydict()
    wording = dict(zip(captions["caption_id"], captions["text"], strict=True))
    columns = ["caption_id", "field_id", "patient_id", "text", "operator", "role", "hard_negative", "mirrored"]
    for row in release.read("perturbations", split, columns).to_pylist():
        if row["hard_negative"] and row["field_id"] in places and row["caption_id"] in wording:
            items.pairs.append((places[row["field_id"]], text(wording[row["caption_id"]]), text(row["text"])))
            items.pair_groups.append(f"{row['operator']}/{row['role']}")
            items.pair_patients.append(row["patient_id"])
            items.pair_mirrored.append(bool(row["mirrored"]))
    columns = ["field_id", "patient_id", "dimension", "question", "options", "answer_index"]
    for row in release.read("questions", split, columns).to_pylist():
        if row["field_id"] in places:
            options = [text(option_text(row["question"], option)) for option in row["options"]]
            items.questions.append((places[row["field_id"]], options, row["answer_index"]))
            items.dimensions.append(row["dimension"])
            items.question_patients.append(row["patient_id"])
    if not items.pairs or not items.questions:
        raise InputError(
            f"the {split} split holds {len(items.pairs)} hard negatives and {len(items.questions)} questions on "
            "fields with images",
            remedy="evaluate on a split that holds both",
        )
    return items


def score_pairs(items: Items, images: Scores, texts: Scores) -> Scores:
    """Return per pair 1 where the caption is closer to the image than its perturbation, 0.5 where both are as close.

    Shapes:
        images (N, D), texts (T, D); (pairs,) returned.
    """
    rows, right, wrong = (np.array(column) for column in zip(*items.pairs, strict=True))
    margin = np.einsum("nd,nd->n", images[rows], texts[right] - texts[wrong])
    scores: Scores = np.where(np.isclose(margin, 0.0, atol=1e-7), 0.5, (margin > 0).astype(float))
    return scores


def score_questions(items: Items, images: Scores, texts: Scores) -> Scores:
    """Return per question 1 where the right option is closest to the image; ties share the point.

    Shapes:
        images (N, D), texts (T, D); (questions,) returned.
    """
    scores = np.zeros(len(items.questions))
    for place, (row, options, answer) in enumerate(items.questions):
        closeness = texts[options] @ images[row]
        best = np.isclose(closeness, closeness.max(), atol=1e-7)
        scores[place] = best[answer] / best.sum()
    return scores
