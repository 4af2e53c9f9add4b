"""Accuracies with 95% intervals that respect that the items of one patient are alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over items in clusters, with its interval.

    Attributes:
        value: mean over all items.
        low: lower end of the 95% interval.
        high: upper end.
        n: number of items.
        clusters: number of clusters, patients as a rule.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int

    def report(self) -> dict[str, Any]:
        """Return the estimate as plain values, rounded to 4 decimals."""
        return {
            "accuracy": round(self.value, 4),
            "interval": [round(self.low, 4), round(self.high, 4)],
            "n": self.n,
            "patients": self.clusters,
        }


def clustered_mean(
    values: npt.ArrayLike, clusters: Sequence[str], bounds: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    """Return the mean of item scores and its cluster-robust 95% interval.

    With items x_j in clusters g, the mean m = sum x_j / n has the variance

        V = G / (G - 1) sum_g ( sum_{j in g} (x_j - m) )^2 / n^2

    and the interval m +- t_{G-1} sqrt(V), cut at the bounds. With one cluster nothing is known of the spread between
    clusters and the interval is the whole range. Shares (bounds 0 and 1) are never given an interval narrower than
    Wilson's for independent items: at 100% right, V is 0, but certainty is not.

    Args:
        values: score of each item.
        clusters: cluster of each item.
        bounds: range of a score.

    Raises:
        ValueError: there is no item.

    References:
        Liang and Zeger, Biometrika 73, 1986; Cameron and Miller, J. Human Resources 50, 2015, eqs. 11-12 and VI.D
        (few clusters: t with G - 1 degrees of freedom). Wilson, J. Am. Stat. Assoc. 22, 1927.
    """
    from scipy import stats

    scores = np.asarray(values, dtype=float)
    if scores.size == 0:
        raise ValueError("no items to average")
    names, of = np.unique(np.asarray(clusters), return_inverse=True)
    mean, groups = float(scores.mean()), len(names)
    if groups < 2:
        return Estimate(mean, bounds[0], bounds[1], scores.size, groups)
    residuals = np.bincount(of, weights=scores - mean, minlength=groups)
    deviation = math.sqrt(groups / (groups - 1) * float((residuals**2).sum())) / scores.size
    half = float(stats.t.ppf((1 + LEVEL) / 2, groups - 1)) * deviation
    low, high = max(bounds[0], mean - half), min(bounds[1], mean + half)
    if bounds == (0.0, 1.0):
        least, most = _wilson(mean, scores.size, float(stats.norm.ppf((1 + LEVEL) / 2)))
        low, high = min(low, least), max(high, most)
    return Estimate(mean, low, high, scores.size, groups)


def _wilson(share: float, n: int, z: float) -> tuple[float, float]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def by_group(scores: npt.NDArray[np.float64], groups: Sequence[str], clusters: Sequence[str]) -> dict[str, Any]:
    """Return the report of each group's estimate, in alphabetical order."""
    reports: Mapping[str, list[int]] = {name: [] for name in sorted(set(groups))}
    for place, name in enumerate(groups):
        reports[name].append(place)
    return {
        name: clustered_mean(scores[places], [clusters[place] for place in places]).report()
        for name, places in reports.items()
    }


FEW_PATIENTS = 6
"""Below this many patients the comparison with the blind control is clustered by field: with G clusters the t
quantile has G - 1 degrees of freedom, and at G = 2 its half-width is 12.7 standard errors."""


def beats_blind(difference: npt.NDArray[np.float64], patients: Sequence[str], fields: Sequence[str]) -> dict[str, Any]:
    """Return the mean gain of seeing the image over not seeing it, and whether its whole interval is above 0.

    Args:
        difference: per item, score with the image less score without.
        patients: per item its patient.
        fields: per item its field.
    """
    few = len(set(patients)) < FEW_PATIENTS
    estimate = clustered_mean(difference, fields if few else patients, bounds=(-1.0, 1.0))
    return {
        "difference": round(estimate.value, 4),
        "interval": [round(estimate.low, 4), round(estimate.high, 4)],
        "clustered_by": "field" if few else "patient",
        "beats": estimate.low > 0,
    }
