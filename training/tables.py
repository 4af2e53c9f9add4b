"""Tables of an evaluation: accuracies with intervals, by group, and of mirrored pairs by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.intervals import by_group, clustered_mean
from training.items import Scores


def pair_table(
    scores: Scores, groups: Sequence[str], patients: Sequence[str], mirrored: Sequence[bool]
) -> dict[str, Any]:
    """Return the accuracy on hard-negative pairs, by operator and role, and the same of the mirrored ones alone.

    On all pairs a reader of texts alone may do better than chance: changed captions may read differently from true
    ones. Of the mirrored pairs (T against U as often as U against T) it gets half, by counting.

    Args:
        scores: of each pair, 0 to 1.
        groups: of each pair, `operator/role`.
        patients: of each pair.
        mirrored: whether each pair is one of a mirrored two.

    Returns:
        The table; `mirrored` is None where there is no mirrored pair.
    """
    kept = np.flatnonzero(np.asarray(mirrored, dtype=bool))
    inner = [[values[int(place)] for place in kept] for values in (groups, patients)]
    return {
        **_table(scores, groups, patients),
        "mirrored": _table(scores[kept], *inner) if len(kept) else None,
    }


def _table(scores: Scores, groups: Sequence[str], patients: Sequence[str]) -> dict[str, Any]:
    return {**clustered_mean(scores, patients).report(), "by_operator_role": by_group(scores, groups, patients)}
