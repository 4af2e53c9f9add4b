"""Intervals and tests of accuracy against chance where items of one patient hang together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.screening.items import Floats, Ints

SUPER_GROUPS = 512  # more patients than these are merged for the sign flips: coarser clusters are still independent
# Six-point distribution for few clusters: Webb (2023), "Reworking wild bootstrap-based inference for clustered errors".
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5, 0.5, 1.0, 1.5])) * np.array([-1, -1, -1, 1, 1, 1])
FEW_GROUPS = 12
LEAST_INFLATION = 0.01  # items balanced within patients have sums of exactly zero


@dataclass(frozen=True)
class Estimate:
    """Accuracy per reader, arrays (r,): point, interval, and standard error with patients kept whole."""

    accuracy: Floats
    low: Floats
    high: Floats
    error: Floats


def clustered_interval(credit: Floats, group: Ints, *, confidence: float, inflation: Floats | float = 1.0) -> Estimate:
    """Return accuracies of columns of `credit` (n, r) with intervals that keep groups (n,) whole.

    The cluster-robust variance of a ratio (Cochran 1977, eq. 11.12, with G/(G-1)) gives an effective number of items;
    the interval is Wilson's (1927) score interval at that number with Student's t of G-1 degrees of freedom.
    `inflation` multiplies the variance of each reader (`fold_inflation`). One group alone tells nothing: 0 to 1.
    """
    from scipy.stats import t

    n = credit.shape[0]
    _, member = np.unique(group, return_inverse=True)
    groups = int(member.max()) + 1
    accuracy = credit.mean(axis=0)
    sums = np.zeros((groups, credit.shape[1]))
    np.add.at(sums, member, credit - accuracy)
    variance = (sums**2).sum(axis=0) / n**2 * groups / max(groups - 1, 1) * inflation
    spread = accuracy * (1.0 - accuracy)
    effective = np.divide(
        spread, variance, out=np.full_like(spread, n) / inflation, where=(variance > 0) & (spread > 0)
    )
    exact = (variance <= 1e-18) & (spread > 0)  # every group at exactly the same accuracy
    quantile = float(t.ppf(0.5 + confidence / 2.0, max(groups - 1, 1)))
    ratio = quantile**2 / effective
    centre = (accuracy + ratio / 2.0) / (1.0 + ratio)
    half = quantile / (1.0 + ratio) * np.sqrt(spread / effective + ratio / (4.0 * effective))
    low = np.where(exact, accuracy, np.clip(centre - half, 0.0, 1.0))
    high = np.where(exact, accuracy, np.clip(centre + half, 0.0, 1.0))
    if groups == 1:
        low, high = np.zeros_like(accuracy), np.ones_like(accuracy)
    return Estimate(accuracy, low, high, np.sqrt(variance))


def fold_inflation(folds: int) -> float:
    """Return by how much a variance over items understates that of an out-of-fold accuracy.

    Readers of different folds learn from each other's held-out items, so their successes go together: 1/J + n2/n1 in
    place of 1/J (Nadeau and Bengio 2003, eq. 9), with J folds and n2/n1 = 1/(J-1).
    """
    return 1.0 + folds / (folds - 1.0)


def _group_sums(excess: Floats, group: Ints, groups: int) -> Floats:
    sums = np.zeros((groups, excess.shape[1]))
    np.add.at(sums, group, excess)
    return sums


def _ratio(sums: Floats, weights: Floats) -> Floats:
    """Return squared signed sums over the sum of squares (b, r), from group sums (g, r) and weights (b, g)."""
    squares = (weights**2) @ (sums**2)
    return np.divide((weights @ sums) ** 2, squares, out=np.zeros_like(squares), where=squares > 1e-12)


def _observed_ratio(excess: Floats, moments: tuple[Floats, Floats], sums: Floats) -> Floats:
    """Return the squared sum over its variance under the null (r,): known per item, inflated by what groups share.

    The observed variance would be small just where accuracy is low, which makes low accuracies look too surprising;
    the skewness of the null (a key is one of k) is taken out by the first Cornish-Fisher term (Hall 1992, sec. 2.5).
    """
    squares = (excess**2).sum(axis=0)
    inflation = np.divide((sums**2).sum(axis=0), squares, out=np.ones_like(squares), where=squares > 1e-12)
    inflation = np.maximum(inflation, LEAST_INFLATION)
    variance, third = (moment.sum(axis=0) for moment in moments)
    root = np.sqrt(np.maximum(variance, 1e-12))
    value = np.where(variance > 1e-9, sums.sum(axis=0) / (root * np.sqrt(inflation)), 0.0)
    skewness = np.where(variance > 1e-9, third / root**3, 0.0)
    bounded = np.clip(value, -2.5 / np.maximum(np.abs(skewness), 1e-6), 2.5 / np.maximum(np.abs(skewness), 1e-6))
    straight = bounded - skewness * (bounded**2 - 1.0) / 6.0
    return np.where(np.abs(value) > 1.0, straight, value) ** 2


def _surprise(ratio: Floats, groups: int) -> Floats:
    """Return -log10 of the two-sided p of Student's t with G-1 degrees of freedom."""
    from scipy.special import betainc

    room = np.clip(1.0 - ratio / groups, 1e-12, 1.0)  # = df / (df + t^2)
    return np.asarray(-np.log10(np.maximum(betainc((groups - 1) / 2.0, 0.5, room), 1e-300)))


def adjusted_p(
    parts: list[tuple[Floats, tuple[Floats, Floats], Ints]],
    *,
    permutations: int,
    seed: int,
    min_groups: int,
    inflation: Floats | float = 1.0,
) -> list[Floats]:
    """Return two-sided p (r,) per part, adjusted for all readers and all parts at once.

    Westfall and Young's (1993) single-step max-T: under the null an item's excess over chance has mean zero, so the
    sums of whole groups are flipped in sign, jointly for all readers and for all parts that a group stands in. Parts
    differ in their number of groups, so statistics are compared through Student's p, not raw.

    Args:
        parts: per part the excess (n, r) of credit over chance, its second and third moment when keys are drawn at
            random (n, r), and the group (n,), groups numbered for the whole file.
        permutations: number of sign flips.
        seed: seed of the flips.
        min_groups: a part with fewer groups gets p = 1.
        inflation: factor on each reader's variance (`fold_inflation`).
    """
    rng = np.random.default_rng(seed)
    highest = max(int(group.max()) for _, _, group in parts) + 1
    merge = rng.permutation(highest) % SUPER_GROUPS
    few = rng.choice(_WEBB, size=(permutations, SUPER_GROUPS))
    many = np.sign(few)
    observed: list[Floats | None] = []
    worst = np.zeros(permutations)
    for excess, moments, group in parts:
        present, member = np.unique(merge[group], return_inverse=True)
        groups = len(present)
        if groups < min_groups or excess.shape[1] == 0:
            observed.append(None)
            continue
        sums = _group_sums(excess, member, groups)
        weights = (few if groups < FEW_GROUPS else many)[:, present]
        observed.append(_surprise(_observed_ratio(excess, moments, sums) / inflation, groups))
        worst = np.maximum(worst, _surprise(_ratio(sums, weights).max(axis=1), groups))
    ordered = np.sort(worst)
    result: list[Floats] = []
    for (excess, _, _), value in zip(parts, observed, strict=True):
        if value is None:
            result.append(np.ones(excess.shape[1]))
        else:
            beyond = permutations - np.searchsorted(ordered, value - 1e-9, side="left")
            result.append(np.asarray((1.0 + beyond) / (1.0 + permutations), dtype=np.float64))
    return result
