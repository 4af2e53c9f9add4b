"""Retrieval recall between fields and their expanded texts, in both directions, beside the same without the image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.controls import Controls
from training.intervals import beats_blind, clustered_mean
from training.items import Scores

DEPTHS = (1, 5, 10)
Marks = npt.NDArray[np.bool_]


def retrieval(controls: Controls, texts: Scores, true: Marks, patients: Sequence[str]) -> dict[str, Any]:
    """Return recall at 1, 5 and 10 from image to text and from text to image, with controls and intervals.

    A query counts where it has a true answer among the others: a field with a text, a text of a field. Intervals are
    clustered by patient; a text belongs to the patient of most of the fields that it is true of.

    Args:
        controls: vectors of the N fields, with and without their images.
        texts: vectors of the T texts.
        true: the text is true of the field.
        patients: of each field.

    Returns:
        Per direction `recall_at_1`, `recall_at_5`, `recall_at_10`, and under `at`, by depth: `image`, `blind` and
        `shuffled` with intervals, `chance` of a random order, and `gain` over blind; `images` and `texts` are counts.

    Shapes:
        texts (T, D), true (N, T).
    """
    owners = [_owner(patients, column) for column in true.T]
    forward = controls.scores(lambda images: hits(similarities(images, texts), true))
    back = controls.scores(lambda images: hits(similarities(images, texts).T, true.T))
    return {
        "image_to_text": _direction(forward, true, patients),
        "text_to_image": _direction(back, true.T, owners),
        "images": len(true),
        "texts": len(texts),
    }


def similarities(images: Scores, texts: Scores) -> Scores:
    """Return (N, T) similarities; images with equal vectors get equal rows to the last bit, so that ties are ties."""
    distinct, place = np.unique(images, axis=0, return_inverse=True)
    rows: Scores = (distinct @ texts.T)[place.ravel()]
    return rows


def hits(similarity: Scores, true: Marks) -> Scores:
    """Return per query the chance that a true answer is among the nearest 1, 5 and 10, where ties fall at random.

    Shapes:
        (Q, C) each; (Q, 3) returned, 0 for a query without a true answer.
    """
    return np.stack([_hits(similarity, true, min(depth, similarity.shape[1])) for depth in DEPTHS], axis=1)


def _hits(similarity: Scores, true: Marks, depth: int) -> Scores:
    border = -np.partition(-similarity, depth - 1, axis=1)[:, depth - 1 : depth]
    above, tied = similarity > border, similarity == border
    found: Scores = (above & true).any(axis=1).astype(float)
    places, ties, right = depth - above.sum(axis=1), tied.sum(axis=1), (tied & true).sum(axis=1)
    for query in np.flatnonzero((found == 0) & (right > 0)):
        found[query] = chance(int(ties[query]), int(right[query]), int(places[query]))
    return found


def chance(candidates: int, true: int, depth: int) -> float:
    """Return the chance that of `candidates` in random order one of the `true` is among the first `depth`."""
    return 1 - math.comb(candidates - true, depth) / math.comb(candidates, depth)


def _direction(scores: dict[str, Scores], true: Marks, clusters: Sequence[str]) -> dict[str, Any]:
    asked = np.flatnonzero(true.any(axis=1))
    if not len(asked):
        return {}
    owners, queries = [clusters[int(query)] for query in asked], [str(query) for query in asked]
    report: dict[str, Any] = {"at": {}}
    for place, depth in enumerate(DEPTHS):
        found = {name: rows[asked, place] for name, rows in scores.items()}
        rows = {name: clustered_mean(values, owners).report() for name, values in found.items()}
        guessed = [chance(true.shape[1], int(row.sum()), min(depth, true.shape[1])) for row in true[asked]]
        gain = beats_blind(found["image"] - found["blind"], owners, queries)
        report[f"recall_at_{depth}"] = rows["image"]["accuracy"]
        report["at"][str(depth)] = {**rows, "chance": round(float(np.mean(guessed)), 4), "gain": gain}
    return report


def _owner(patients: Sequence[str], true: Marks) -> str:
    """Return the patient of most of the marked fields, the first in order among equals; empty where none is marked."""
    counts = Counter(patients[int(place)] for place in np.flatnonzero(true))
    return min(counts, key=lambda patient: (-counts[patient], patient), default="")
