"""Retrieval recall between fields and their expanded texts, in both directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.items import Scores

DEPTHS = (1, 5, 10)


def recall(similarity: Scores, true: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, float]:
    """Return the share of rows with a true column among the nearest 1, 5 and 10; rows without one do not count.

    Shapes:
        (rows, columns) each.
    """
    rows = true.any(axis=1)
    if not rows.any():
        return {}
    nearest = np.argsort(-similarity[rows], axis=1, kind="stable")
    hits = np.take_along_axis(true[rows], nearest, axis=1)
    return {f"recall_at_{depth}": round(float(hits[:, :depth].any(axis=1).mean()), 4) for depth in DEPTHS}


def retrieval(images: Scores, texts: Scores, true: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    """Return recall from image to text and from text to image, with the numbers of both.

    Shapes:
        images (N, D), texts (T, D), true (N, T).
    """
    similarity = images @ texts.T
    return {
        "image_to_text": recall(similarity, true),
        "text_to_image": recall(similarity.T, true.T),
        "images": len(images),
        "texts": len(texts),
    }
