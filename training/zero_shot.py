"""Zero-shot classification: which value of an attribute a field shows, by the prompt that is closest to its image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from training.intervals import clustered_mean
from training.items import Scores
from training.release import Release, Split

if TYPE_CHECKING:
    from training.embed import EmbeddedFields

PROMPTS = ("{attribute}: {value}", "{value} {attribute}", "a field with {value} {attribute}")
"""Averaged per value, as CLIP does (Radford et al., 2021, 3.1.4)."""


def zero_shot(
    release: Release, split: Split, fields: EmbeddedFields, mean_image: Scores, embed: Callable[[list[str]], Scores]
) -> dict[str, Any]:
    """Return per attribute accuracy with its interval, the same balanced over the values, and the blind accuracy.

    Args:
        release: the release.
        split: its split.
        fields: the fields' vectors.
        mean_image: the vector that stands for no image, (D,).
        embed: from texts to their vectors, (T, D).

    Returns:
        By attribute with at least two values in the split: `accuracy`, `interval`, `n`, `patients`, `balanced`,
        `classes`, `chance` (of a guess), `blind` (accuracy without the image, one value for all).
    """
    places = {field_id: place for place, field_id in enumerate(fields.field_ids)}
    shown: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in release.read("fields", split, ["field_id", "features"], required=False).to_pylist():
        for feature in row["features"]:
            if feature["polarity"] == "present" and row["field_id"] in places:
                shown[feature["attribute"]].append((places[row["field_id"]], feature["value"]))
    report = {}
    for attribute, pairs in sorted(shown.items()):
        values = sorted({value for _, value in pairs})
        if len(values) > 1:
            prompts = _prompts(attribute, values, embed)
            rows = np.array([row for row, _ in pairs])
            truth = np.array([values.index(value) for _, value in pairs])
            report[attribute] = _scores(fields, rows, truth, prompts, mean_image)
    return report


def _prompts(attribute: str, values: list[str], embed: Callable[[list[str]], Scores]) -> Scores:
    words = attribute.replace("_", " ")
    texts = [form.format(attribute=words, value=value.replace("_", " ")) for value in values for form in PROMPTS]
    mean = embed(texts).reshape(len(values), len(PROMPTS), -1).mean(axis=1)
    unit: Scores = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit


def _scores(fields: EmbeddedFields, rows: Any, truth: Any, prompts: Scores, mean_image: Scores) -> dict[str, Any]:
    right = ((fields.vectors[rows] @ prompts.T).argmax(axis=1) == truth).astype(float)
    blind = (int((prompts @ mean_image).argmax()) == truth).astype(float)
    patients = [fields.patients[row] for row in rows]
    return {
        **clustered_mean(right, patients).report(),
        "balanced": round(float(np.mean([right[truth == value].mean() for value in np.unique(truth)])), 4),
        "classes": len(prompts),
        "chance": round(1 / len(prompts), 4),
        "blind": round(float(blind.mean()), 4),
    }
