"""Zero-shot classification: which value of an attribute a field shows, by the prompt that is closest to its image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from training.controls import Controls
from training.intervals import beats_blind, clustered_mean
from training.items import Scores
from training.release import Release, Split

if TYPE_CHECKING:
    from training.embed import EmbeddedFields

PROMPTS = ("{attribute}: {value}", "{value} {attribute}", "a field with {value} {attribute}")
"""Averaged per value, as CLIP does (Radford et al., 2021, 3.1.4)."""


def zero_shot(
    release: Release, split: Split, fields: EmbeddedFields, controls: Controls, embed: Callable[[list[str]], Scores]
) -> dict[str, Any]:
    """Return per attribute accuracy with its interval, the same balanced over the values, and the controls.

    Args:
        release: the release.
        split: its split.
        fields: the fields, with their patients.
        controls: their vectors with and without their images.
        embed: from texts to their vectors, (T, D).

    Returns:
        By attribute with at least two values in the split: `accuracy`, `interval`, `n`, `patients`, `balanced`,
        `classes`, `chance` (of a guess); `blind` and `shuffled`: accuracy without the image (one value
        for all) and with those of other patients; `gain` over blind.
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
            report[attribute] = _scores(fields, controls, rows, truth, prompts)
    return report


def _prompts(attribute: str, values: list[str], embed: Callable[[list[str]], Scores]) -> Scores:
    words = attribute.replace("_", " ")
    texts = [form.format(attribute=words, value=value.replace("_", " ")) for value in values for form in PROMPTS]
    mean = embed(texts).reshape(len(values), len(PROMPTS), -1).mean(axis=1)
    unit: Scores = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit


def _scores(fields: EmbeddedFields, controls: Controls, rows: Any, truth: Any, prompts: Scores) -> dict[str, Any]:
    def right(images: Scores) -> Scores:
        hit: Scores = ((images[rows] @ prompts.T).argmax(axis=1) == truth).astype(float)
        return hit

    patients = [fields.patients[row] for row in rows]
    found = controls.scores(right)
    seen, blind, shuffled = (clustered_mean(values, patients).report() for values in found.values())
    classes = [found["image"][truth == value].mean() for value in np.unique(truth)]
    return {
        **seen,
        "balanced": round(float(np.mean(classes)), 4),
        "classes": len(prompts),
        "chance": round(1 / len(prompts), 4),
        "blind": blind,
        "shuffled": shuffled,
        "gain": beats_blind(found["image"] - found["blind"], patients, [fields.field_ids[row] for row in rows]),
    }
