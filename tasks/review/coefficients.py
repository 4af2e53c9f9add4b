"""Coefficients of agreement, each as a function of sums over units, so that a bootstrap is one matrix product.

References:
    Cohen 1960, Educ Psychol Meas 20:37-46. Fleiss 1971, Psychol Bull 76:378-382.
    Krippendorff, Content Analysis, 4th ed. 2018, chapter 12 (nominal metric).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Coefficient = Callable[[Floats], Floats]
"""Sums of the units' terms, shape (..., terms), to the coefficient, shape (...); NaN where it is not defined."""


def _divide(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(below) > 1e-12, above / below, np.nan)


def _square(sums: Floats) -> Floats:
    side = int(np.sqrt(sums.shape[-1]))
    return sums.reshape(*sums.shape[:-1], side, side)


def _one_hot(value: int, categories: int) -> Floats:
    row = np.zeros(categories)
    row[value] = 1.0
    return row


def cohen_terms(pairs: Sequence[tuple[int, int]], categories: int) -> Floats:
    """Return each unit's cell of the confusion matrix of two readers; shape (units, categories squared)."""
    return np.array([np.outer(_one_hot(a, categories), _one_hot(b, categories)).ravel() for a, b in pairs])


def cohen(sums: Floats) -> Floats:
    """Return Cohen's kappa of two readers."""
    table = _square(sums)
    n = table.sum((-2, -1))
    observed = _divide(np.trace(table, axis1=-2, axis2=-1), n)
    expected = _divide((table.sum(-1) * table.sum(-2)).sum(-1), n**2)
    return _divide(observed - expected, 1.0 - expected)


def fleiss_terms(units: Sequence[Sequence[int]], categories: int) -> Floats:
    """Return each unit's share of agreeing pairs and its counts by category; shape (units, 1 + categories).

    Every unit must have as many readers as any other.
    """
    rows = []
    for values in units:
        counts = np.bincount(values, minlength=categories).astype(float)
        n = counts.sum()
        rows.append(np.r_[(counts @ counts - n) / (n * (n - 1.0)), counts / n])
    return np.array(rows)


def fleiss(sums: Floats) -> Floats:
    """Return Fleiss' kappa of several readers."""
    n = sums[..., 1:].sum(-1)
    observed = _divide(sums[..., 0], n)
    expected = (_divide(sums[..., 1:], n[..., None]) ** 2).sum(-1)
    return _divide(observed - expected, 1.0 - expected)


def krippendorff_terms(units: Sequence[Sequence[int]], categories: int) -> Floats:
    """Return each unit's part of the coincidence matrix; shape (units, categories squared).

    Units may differ in readers.
    """
    rows = []
    for values in units:
        counts = np.bincount(values, minlength=categories).astype(float)
        rows.append(((np.outer(counts, counts) - np.diag(counts)) / (counts.sum() - 1.0)).ravel())
    return np.array(rows)


def krippendorff(sums: Floats) -> Floats:
    """Return Krippendorff's alpha for nominal data with missing readings."""
    table = _square(sums)
    totals = table.sum(-1)
    n = totals.sum(-1)
    observed = n - np.trace(table, axis1=-2, axis2=-1)
    expected = _divide(n**2 - (totals**2).sum(-1), n - 1.0)
    return 1.0 - _divide(observed, expected)


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95% score interval of a share (Wilson 1927): it has a width even where all or none are right."""
    z2 = 1.959964**2
    centre = (right + z2 / 2) / (n + z2)
    half = np.sqrt(z2) / (n + z2) * np.sqrt(right * (n - right) / n + z2 / 4)
    return float(centre - half), float(centre + half)


def share(sums: Floats) -> Floats:
    """Return a share: the first term over the second."""
    return _divide(sums[..., 0], sums[..., 1])


def estimate(
    terms: Floats, coefficient: Coefficient, groups: Sequence[str], *, resamples: int = 2000, seed: int = 0
) -> tuple[float | None, float | None, float | None]:
    """Return a coefficient with its 95% percentile bootstrap interval; whole patients are drawn with replacement.

    Args:
        terms: one row per unit.
        coefficient: what to make of their sums.
        groups: patient of each unit.
        resamples: draws.
        seed: same seed, same interval.

    Returns:
        (value, low, high); None where it is not defined: all readings are of one category, or there are none, or, for
        the interval, they are of one patient.
    """
    if not len(terms):
        return None, None, None
    value = float(coefficient(terms.sum(0)))
    names = sorted(set(groups))
    member = np.array([names.index(group) for group in groups])
    by_group = np.zeros((len(names), terms.shape[1]))
    np.add.at(by_group, member, terms)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    values = coefficient(drawn @ by_group)
    values = values[~np.isnan(values)]
    if np.isnan(value):
        return None, None, None
    if len(names) < 2:
        return round(value, 4), None, None
    low, high = np.percentile(values, [2.5, 97.5])
    return round(value, 4), round(float(low), 4), round(float(high), 4)
