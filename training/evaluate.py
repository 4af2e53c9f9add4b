"""Evaluation that cannot be fooled: every measure beside the same measure without the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import BlindControlError, InputError
from training.controls import Controls
from training.intervals import beats_blind, by_group, clustered_mean
from training.items import Items, Scores, read_items, score_pairs, score_questions
from training.release import Release, Split
from training.retrieval import retrieval
from training.tables import pair_table
from training.texts import TextBook
from training.zero_shot import zero_shot

if TYPE_CHECKING:
    from training.embed import EmbeddedFields

Embed = Callable[[list[str]], Scores]
"""From T texts to their unit vectors (T, D)."""


def evaluate(
    release: Path | str, checkpoint: Path, *, split: Split = "test", device: str = "auto", seed: int = 0
) -> dict[str, Any]:
    """Measure a trained image-text model on held-out hard negatives, questions and retrieval, with blind controls.

    Args:
        release: folder or fsspec address of a release.
        checkpoint: checkpoint, or its folder.
        split: what to evaluate on; test by default.
        device: auto, cpu or cuda.
        seed: of the shuffled control.

    Returns:
        `pairwise`: the chance that the image is closer to its caption than to a perturbed one, overall, by
        operator/role, and of the `mirrored` pairs alone, of which a reader of texts gets half by counting.
        `multiple_choice`: accuracy overall and by dimension, the accuracy of guessing (`chance`), and `circular`: right
        under every rotation of the options, that is, the right one alone is closest. `blind`: the same where every
        image is replaced by the mean image of the training split, and under `shuffled` where it is replaced by that of
        another patient. `retrieval`: recall in both directions, and `zero_shot`: accuracy by attribute, each with both
        controls beside it. `beats_blind`: the paired differences. Every accuracy has `n` and a 95% interval clustered
        by patient.

    Raises:
        InputError: no release, no checkpoint, or the split lacks pairs or questions.
        BlindControlError: the model does not beat its blind control.
    """
    report = measure(release, checkpoint, split=split, device=device, seed=seed)
    require_sight(report)
    return report


def require_sight(report: dict[str, Any]) -> None:
    """Fail loudly where a model does not beat its blind control.

    Raises:
        BlindControlError: on pairs or on questions, the gain's interval reaches down to 0.
    """
    failed = [name for name, row in report["beats_blind"].items() if not row["beats"]]
    if failed:
        numbers = "; ".join(
            f"{name} {report[name]['accuracy']:.3f} against {report['blind'][name]['accuracy']:.3f} without the image"
            for name in failed
        )
        raise BlindControlError(
            f"the image model does not beat its blind control on the {report['split']} split: {numbers}",
            remedy="train longer, or look at the images: what the texts say may not be visible in them",
        )


def measure(
    release: Path | str, checkpoint: Path, *, split: Split = "test", device: str = "auto", seed: int = 0
) -> dict[str, Any]:
    """Return what `evaluate` returns, whether or not the model beats its blind control."""
    from training.embed import embed_fields, embed_texts
    from training.model import load_model

    source = Release(release)
    model, config, mean_image = load_model(checkpoint, device)
    if mean_image is None:
        raise InputError("the checkpoint is of an unfinished training run", remedy="run the training to its end")
    fields = embed_fields(model, source, split, config)
    places = {field_id: place for place, field_id in enumerate(fields.field_ids)}
    items = read_items(source, split, places)
    texts = embed_texts(model, items.texts)
    controls = Controls.of(fields, mean_image.double().numpy(), seed)
    pairs = controls.scores(lambda images: score_pairs(items, images, texts))
    questions = controls.scores(lambda images: score_questions(items, images, texts))
    tables = {name: _report(items, pairs[name], questions[name]) for name in pairs}

    def embed(asked: list[str]) -> Scores:
        return embed_texts(model, asked)

    return {
        "split": split,
        "fields": len(fields.field_ids),
        "patients": len(set(fields.patients)),
        **tables["image"],
        "retrieval": _retrieval(source, split, fields, controls, embed),
        "zero_shot": zero_shot(source, split, fields, controls, embed),
        "blind": {**tables["blind"], "shuffled": tables["shuffled"]},
        "beats_blind": {
            "pairwise": _gain(pairs, items.pair_patients, [row for row, _, _ in items.pairs]),
            "multiple_choice": _gain(questions, items.question_patients, [row for row, _, _ in items.questions]),
        },
    }


def _report(items: Items, pairs: Scores, questions: Scores) -> dict[str, Any]:
    return {
        "pairwise": pair_table(pairs, items.pair_groups, items.pair_patients, items.pair_mirrored),
        "multiple_choice": {
            **clustered_mean(questions, items.question_patients).report(),
            "chance": round(items.chance, 4),
            "circular": clustered_mean((questions == 1).astype(float), items.question_patients).report(),
            "by_dimension": by_group(questions, items.dimensions, items.question_patients),
        },
    }


def _gain(scores: dict[str, Scores], patients: list[str], fields: list[int]) -> dict[str, Any]:
    return beats_blind(scores["image"] - scores["blind"], patients, [str(field) for field in fields])


def _retrieval(
    source: Release, split: Split, fields: EmbeddedFields, controls: Controls, embed: Embed
) -> dict[str, Any]:
    book = TextBook.read(source, split)
    wanted = sorted({text for field_id in fields.field_ids for text in book.fields[field_id].full})
    if not wanted:
        return {}
    true = np.array([[text in book.fields[field_id].true for text in wanted] for field_id in fields.field_ids])
    return retrieval(controls, embed([book.texts[text] for text in wanted]), true, fields.patients)
