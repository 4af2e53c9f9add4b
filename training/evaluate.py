"""Evaluation that cannot be fooled: every measure beside the same measure without the image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import BlindControlError, InputError
from training.intervals import beats_blind, by_group, clustered_mean
from training.items import Items, Scores, read_items, score_pairs, score_questions
from training.release import Release, Split
from training.retrieval import retrieval
from training.texts import TextBook
from training.zero_shot import zero_shot

if TYPE_CHECKING:
    from training.embed import EmbeddedFields

SHUFFLES = 5


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
        `pairwise`: the chance that the image is closer to its caption than to a perturbed one, overall and by
        operator/role. `multiple_choice`: accuracy overall and by dimension, the accuracy of guessing (`chance`), and
        `circular`: right under every rotation of the options, that is, the right one alone is closest. `retrieval`:
        recall in both directions. `zero_shot`: accuracy by attribute. `blind`: `pairwise` and `multiple_choice` where
        every image is replaced by the mean image of the training split, and under `shuffled` where it is replaced by
        that of another patient. `beats_blind`: the paired differences. Every accuracy has `n` and a 95% interval
        clustered by patient.

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
    without = np.tile(mean_image.double().numpy(), (len(fields.vectors), 1))
    seen = _scores(items, fields.vectors, texts)
    blind = _scores(items, without, texts)
    shuffled = _shuffled(items, fields, texts, seed)
    return {
        "split": split,
        "fields": len(fields.field_ids),
        "patients": len(set(fields.patients)),
        **_report(items, *seen),
        "retrieval": _retrieval(source, split, fields, embed_texts, model),
        "zero_shot": zero_shot(source, split, fields, without[0], lambda texts: embed_texts(model, texts)),
        "blind": {**_report(items, *blind), "shuffled": _report(items, *shuffled)},
        "beats_blind": _compare(items, seen, blind),
    }


def _scores(items: Items, images: Scores, texts: Scores) -> tuple[Scores, Scores]:
    return score_pairs(items, images, texts), score_questions(items, images, texts)


def _report(items: Items, pairs: Scores, questions: Scores) -> dict[str, Any]:
    return {
        "pairwise": {
            **clustered_mean(pairs, items.pair_patients).report(),
            "by_operator_role": by_group(pairs, items.pair_groups, items.pair_patients),
        },
        "multiple_choice": {
            **clustered_mean(questions, items.question_patients).report(),
            "chance": round(items.chance, 4),
            "circular": clustered_mean((questions == 1).astype(float), items.question_patients).report(),
            "by_dimension": by_group(questions, items.dimensions, items.question_patients),
        },
    }


def _shuffled(items: Items, fields: EmbeddedFields, texts: Scores, seed: int) -> tuple[Scores, Scores]:
    """Mean scores over several draws in which every field gets the image of a field of another patient."""
    draws = np.random.default_rng([seed, 5])
    patients = np.array(fields.patients)
    others = {patient: np.flatnonzero(patients != patient) for patient in sorted(set(fields.patients))}
    if any(len(other) == 0 for other in others.values()):
        others = {patient: np.arange(len(patients)) for patient in others}
    pairs, questions = np.zeros(len(items.pairs)), np.zeros(len(items.questions))
    for _ in range(SHUFFLES):
        taken = np.array([draws.choice(others[patient]) for patient in fields.patients])
        drawn = _scores(items, fields.vectors[taken], texts)
        pairs += drawn[0] / SHUFFLES
        questions += drawn[1] / SHUFFLES
    return pairs, questions


def _compare(items: Items, seen: tuple[Scores, Scores], blind: tuple[Scores, Scores]) -> dict[str, Any]:
    pair_fields, question_fields = ([str(row[0]) for row in rows] for rows in (items.pairs, items.questions))
    return {
        "pairwise": beats_blind(seen[0] - blind[0], items.pair_patients, pair_fields),
        "multiple_choice": beats_blind(seen[1] - blind[1], items.question_patients, question_fields),
    }


def _retrieval(source: Release, split: Split, fields: EmbeddedFields, embed_texts: Any, model: Any) -> dict[str, Any]:
    book = TextBook.read(source, split)
    wanted = sorted({text for field_id in fields.field_ids for text in book.fields[field_id].full})
    if not wanted:
        return {}
    true = np.array([[text in book.fields[field_id].true for text in wanted] for field_id in fields.field_ids])
    return retrieval(fields.vectors, embed_texts(model, [book.texts[text] for text in wanted]), true)
