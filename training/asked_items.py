"""What a model behind an endpoint is asked: questions and hard-negative pairs of a split as options."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from training.release import Release, Split


@dataclass(frozen=True, slots=True)
class Item:
    """A question, or a caption against its perturbed form, as options of which one is right.

    Attributes:
        item_id: id of its row in the release.
        group: dimension of a question, operator and role of a pair.
        field_id: field that is asked about.
        patient_id: patient of the field.
        question: what is asked.
        options: in the order of the release.
        answer: index of the right one.
        mirrored: one of two pairs that are asked both ways round, equally often.
    """

    item_id: str
    group: str
    field_id: str
    patient_id: str
    question: str
    options: tuple[str, ...]
    answer: int
    mirrored: bool = False

    def rotated(self, turn: int) -> tuple[tuple[str, ...], int]:
        """Return the options moved up by `turn` places, and where the right one then stands."""
        return self.options[turn:] + self.options[:turn], (self.answer - turn) % len(self.options)


def questions(release: Release, split: Split) -> list[Item]:
    """Return the multiple-choice questions of a split, grouped by dimension."""
    columns = ["question_id", "dimension", "field_id", "patient_id", "question", "options", "answer_index"]
    return [
        Item(
            row["question_id"], row["dimension"], row["field_id"], row["patient_id"], row["question"],
            tuple(row["options"]), row["answer_index"],
        )
        for row in release.read("questions", split, columns).to_pylist()
    ]  # fmt: skip


def pairs(release: Release, split: Split) -> list[Item]:
    """Return the hard negatives of a split, each against its caption, grouped by operator and role."""
    captions = release.read("captions", split, ["caption_id", "text"]).to_pydict()
    wording = dict(zip(captions["caption_id"], captions["text"], strict=True))
    columns = ["perturbation_id", "operator", "role", "field_id", "patient_id", "text", "caption_id"]
    columns += ["hard_negative", "mirrored"]
    question = "Which of these captions describes the field?"
    return [
        Item(
            row["perturbation_id"], f"{row['operator']}/{row['role']}", row["field_id"], row["patient_id"], question,
            (wording[row["caption_id"]], row["text"]), 0, bool(row["mirrored"]),
        )
        for row in release.read("perturbations", split, columns).to_pylist()
        if row["hard_negative"] and row["caption_id"] in wording
    ]  # fmt: skip


def draw(items: list[Item], limit: int | None, seed: int) -> list[Item]:
    """Return at most `limit` items, from all groups in turn, drawn from the seed."""
    grouped: dict[str, list[Item]] = defaultdict(list)
    for place in np.random.default_rng([seed, 6]).permutation(len(items)):
        grouped[items[place].group].append(items[place])
    turns = max((len(group) for group in grouped.values()), default=0)
    mixed = [group[turn] for turn in range(turns) for _, group in sorted(grouped.items()) if turn < len(group)]
    return mixed[:limit]
