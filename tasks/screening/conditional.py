"""Conditional logit: p(key) over a question's options, linear in their features (McFadden 1974)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.screening.items import Floats, Ints, Panel

SLOPE_LIMIT = 12.0


def fit_conditional_logit(features: Any, panel: Panel, train: NDArray[np.bool_], *, l2: float) -> Floats:
    """Return the weights (d,) that maximise the penalised likelihood of the training items' keys.

    Args:
        features: (m, d) dense or CSR matrix over options.
        panel: the items.
        train: (n,) which items to learn from.
        l2: ridge penalty, in units of one item's log-likelihood.
    """
    from scipy.optimize import minimize

    rows = train[panel.of]
    part = features[rows]
    sizes = panel.sizes[train]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of = np.repeat(np.arange(len(sizes)), sizes)
    key = np.zeros(rows.sum(), dtype=np.float64)
    key[starts + (panel.key_row - panel.starts)[train]] = 1.0

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = part @ weights
        scores = scores - np.maximum.reduceat(scores, starts)[of]
        odds = np.exp(scores)
        total = np.add.reduceat(odds, starts)
        value = float(np.log(total).sum() - scores @ key + 0.5 * l2 * weights @ weights)
        return value, np.asarray(part.T @ (odds / total[of] - key) + l2 * weights)

    start = np.zeros(features.shape[1])
    result = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-7})
    return np.asarray(result.x, dtype=np.float64)


def calibrate(scores: Floats, panel: Panel, key_row: Ints, pool: Ints, pools: int) -> Floats:
    """Return the slopes (pools, r) >= 0 that turn every reader's scores into p(key), one slope per pool of items.

    One-parameter conditional logit by Newton steps, for all readers and pools at once; a reader without information
    gets a slope near 0 and so p near 1/k. `pool` (n,) numbers each item's pool.
    """
    order = np.argsort(pool, kind="stable")
    present, firsts = np.unique(pool[order], return_index=True)
    slopes = np.zeros((pools, scores.shape[1]))
    at_key = scores[key_row]
    for _ in range(8):
        p = np.exp(panel.log_softmax(scores * slopes[pool][panel.of]))
        mean = panel.total(p * scores)
        curvature = panel.total(p * scores**2) - mean**2
        gradient = np.add.reduceat((at_key - mean)[order], firsts, axis=0)
        bend = np.add.reduceat(curvature[order], firsts, axis=0)
        step = (gradient - slopes[present]) / (bend + 1.0)
        updated = np.clip(slopes[present] + np.clip(step, -2.0, 2.0), 0.0, SLOPE_LIMIT)
        change = np.abs(updated - slopes[present]).max(initial=0.0)
        slopes[present] = updated
        if change < 1e-3:
            break
    return slopes
