"""The item gate (pseudo-key null) and the cell gate (two-sided against chance, pass by equivalence)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.screening.conditional import calibrate
from tasks.screening.config import ScreeningConfig
from tasks.screening.intervals import adjusted_p, clustered_interval, fold_inflation
from tasks.screening.items import Floats, Ints, Panel

READERS_AT_ONCE = 8
NULL_SAMPLES = 40_000  # pseudo-keys beyond this number sharpen the null no further

TRAINED = ("fitted", "certifier")

Gate = Literal["pass", "fail", "too few"]
Level = Literal["cell", "type", "all"]


@dataclass(frozen=True, slots=True)
class ReaderCell:
    """One reader in one cell: accuracy with interval, chance, adjusted p, verdict."""

    reader: str
    family: str
    level: Level
    cell: str
    n: int
    groups: int
    chance: float
    accuracy: float
    low: float
    high: float
    p_adjusted: float
    verdict: Gate


@dataclass(frozen=True)
class ItemGate:
    """What the item gate saw: slopes' p(key), the option read, bits of information, and flags, all (n, r)."""

    p_key: Floats
    argmax: Ints
    pvi_bits: Floats
    flagged: NDArray[np.bool_]


def _pools(panel: Panel, min_items: int) -> tuple[Ints, int]:
    """Return the calibration pool of every item: its cell, or one shared pool for cells that are too small."""
    large = np.bincount(panel.cell, minlength=len(panel.cells)) >= min_items
    return np.where(large[panel.cell], panel.cell, len(panel.cells)), len(panel.cells) + 1


def _bits(
    scores: Floats, panel: Panel, key_row: Ints, pool: Ints, pools: int
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return calibrated log p(key), PVI in bits, and whether the key is the only option at the top; all (n, r)."""
    at_key = np.empty((len(panel.items), scores.shape[1]))
    chosen = np.empty(at_key.shape, dtype=bool)
    for first in range(0, scores.shape[1], READERS_AT_ONCE):  # bounds memory, and stays in the cache
        part = scores[:, first : first + READERS_AT_ONCE]
        columns = slice(first, first + part.shape[1])
        slopes = calibrate(part, panel, key_row, pool, pools)
        at_key[:, columns] = panel.log_softmax(part * slopes[pool][panel.of])[key_row]
        chosen[:, columns] = panel.credit(part, key_row) > 0.999
    return at_key, (at_key + np.log(panel.sizes)[:, None]) / np.log(2.0), chosen


def _null_bits(scores: Floats, panel: Panel, pool: Ints, pools: int, rng: np.random.Generator, draws: int) -> Floats:
    """Return information about pseudo-keys, in units of 1/sqrt(pool), -inf where they are not the top; (s, r).

    Slopes near zero: one Newton step from 0 calibrates, and log p(key) is expanded to second order, so a draw costs
    one look at every item's pseudo-key. For large files every draw keeps a sample of the items.
    """
    mean = panel.total(scores) / panel.sizes[:, None]
    variance = panel.total(scores**2) / panel.sizes[:, None] - mean**2
    top = panel.top(scores)
    alone = panel.total((scores >= top[panel.of] - 1e-9).astype(np.float64)) < 1.5
    information = _pooled(variance, pool, pools) + 1.0
    root = np.sqrt(np.bincount(pool, minlength=pools))[:, None]
    sample = max(1, NULL_SAMPLES // draws)
    null = []
    for _ in range(draws):
        pseudo = panel.starts + (rng.random(len(panel.items)) * panel.sizes).astype(np.int64)
        offset = scores[pseudo] - mean
        slope = np.maximum(_pooled(offset, pool, pools) / information, 0.0)
        kept = np.arange(len(pool)) if len(pool) <= sample else rng.choice(len(pool), sample, replace=False)
        at = slope[pool[kept]]
        bits = (at * offset[kept] - 0.5 * at**2 * variance[kept]) / np.log(2.0)
        found = alone[kept] & (scores[pseudo[kept]] >= top[kept] - 1e-9) & (bits > 0)
        null.append(np.where(found, bits * root[pool[kept]], -np.inf))
    return np.concatenate(null)


def _pooled(values: Floats, pool: Ints, pools: int) -> Floats:
    """Return sums (pools, r) of rows; items of a pool mostly stand together, so runs are summed first."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(pool)) + 1])
    sums = np.zeros((pools, values.shape[1]))
    np.add.at(sums, pool[starts], np.add.reduceat(values, starts, axis=0))
    return sums


def _tail(values: Floats, null: Floats) -> Floats:
    """Return per reader the share of null statistics at or above each value; (n, r) against (s, r)."""
    out = np.empty_like(values)
    for column in range(values.shape[1]):
        ordered = np.sort(null[:, column])
        out[:, column] = (len(ordered) - np.searchsorted(ordered, values[:, column], side="left")) / len(ordered)
    return out


def _reads(bits: Floats, pool: Ints, pools: int, alpha: float) -> NDArray[np.bool_]:
    """Return in which pools (pools, r) a reader knows keys at all: likelihood ratio, Bonferroni over the tier."""
    from scipy.stats import chi2

    ratio = 2.0 * np.log(2.0) * _pooled(bits, pool, pools)
    return np.asarray(ratio > chi2.isf(2.0 * alpha / bits.shape[1], 1))


def _flagged(found: Floats, null: Floats, alpha: float) -> NDArray[np.bool_]:
    """Return which items (n, r) the readers of one tier find more surely than the null allows at rate alpha."""
    tail = _tail(found, null)
    least = np.sort(_tail(null, null).min(axis=1))
    return np.asarray((tail < least[int(alpha * len(least))]) & np.isfinite(found))


def item_gate(scores: Floats, tiers: NDArray[np.str_], panel: Panel, config: ScreeningConfig) -> ItemGate:
    """Flag items whose key a reader finds more surely than it finds keys that were drawn at random.

    Every reader's scores become p(key) by one slope per cell. The null draws pseudo-keys uniformly among each item's
    options, calibrates again, and asks how often, and how surely, a reader then "finds" the pseudo-key: on clean items
    the key is the argmax with p >= tau in P(max p >= tau)/k of the cases. Readers of a tier share the pseudo-keys, so
    the smallest tail probability over a tier's readers is compared with its own null (Westfall and Young's minP), at
    alpha divided by the number of tiers. A reader flags only in cells of which it knows something at all, and only keys
    of which it knows `min_bits`, so the false positives of clean cells come out well below alpha. Positions flag no
    item: they are a cell's fault, cured by shuffling.

    Args:
        scores: (m, r) of every reader; they are standardised here.
        tiers: (r,) tier of each reader; readers of `certifier` and `position` are calibrated but never flag.
        panel: the items.
        config: alpha, number of null draws, smallest cell that gets a slope of its own, seed.
    """
    rng = np.random.default_rng([config.seed, 1])
    scale = np.maximum(scores.std(axis=0), 1e-9)
    scores = (scores - (panel.total(scores) / panel.sizes[:, None])[panel.of]) / scale
    pool, pools = _pools(panel, config.min_items)
    root = np.sqrt(np.bincount(pool, minlength=pools)[pool])[:, None]  # null slopes shrink as 1/sqrt(items)
    at_key, bits, chosen = _bits(scores, panel, panel.key_row, pool, pools)
    top = scores >= panel.top(scores)[panel.of] - 1e-9
    argmax = _argmax(np.where(top, rng.random(len(panel.of))[:, None], -1.0), panel)
    selecting = [tier for tier in dict.fromkeys(tiers.tolist()) if tier not in ("certifier", "position")]
    flagged = np.zeros(bits.shape, dtype=bool)
    for tier in selecting:
        columns = np.flatnonzero(tiers == tier)
        found = np.where(chosen[:, columns] & (bits[:, columns] > 0), bits[:, columns] * root, -np.inf)
        null = _null_bits(scores[:, columns], panel, pool, pools, rng, config.null_draws)
        alpha = config.alpha / len(selecting)
        knows = _reads(bits[:, columns], pool, pools, alpha)[pool] & (bits[:, columns] >= config.min_bits)
        flagged[:, columns] = _flagged(found, null, alpha) & knows
    return ItemGate(np.exp(at_key), argmax, bits, flagged)


def _argmax(values: Floats, panel: Panel) -> Ints:
    best = np.zeros((len(panel.items), values.shape[1]), dtype=np.int64)
    for _, which, rows in panel.by_size():
        best[which] = values[rows].argmax(axis=1)
    return best


def _verdicts(
    accuracy: Floats, low: Floats, high: Floats, p: Floats, chance: float, config: ScreeningConfig
) -> list[Gate]:
    """Return pass, fail or too few per reader.

    Fail: differs from chance beyond doubt, and is not shown to differ by less than the margin. Pass: the interval's
    upper end is at most chance + margin (one half of the two one-sided tests of Schuirmann 1987).
    """
    differs = p < config.significance
    within = (high <= chance + config.margin) & (low >= chance - config.margin)
    verdicts: list[Gate] = []
    for is_different, is_within, upper in zip(differs, within, high, strict=True):
        if is_different and not is_within:
            verdicts.append("fail")
        else:
            verdicts.append("pass" if upper <= chance + config.margin else "too few")
    return verdicts


def strata_of(panel: Panel) -> list[tuple[Level, str, Ints]]:
    """Return the parts that are judged, with their items: cells, types that are not cells, and the whole file."""
    types = np.array([item.type for item in panel.items])
    names, number = np.unique(types, return_inverse=True)
    parts: list[tuple[Level, str, Ints]] = [
        ("cell", name, members) for name, members in zip(panel.cells, _members(panel.cell), strict=True)
    ]
    known = {*panel.cells, "all"}
    parts += [
        ("type", name, members)
        for name, members in zip(names.tolist(), _members(number), strict=True)
        if name not in known
    ]
    if len(panel.cells) > 1:
        parts.append(("all", "all", np.arange(len(panel.items))))
    return parts


def _members(number: Ints) -> list[Ints]:
    """Return the items of each number from 0, in order."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def _null_moments(scores: Floats, panel: Panel) -> tuple[Floats, Floats]:
    """Return the second and third central moment (n, r) of an item's credit when any option may be the key."""
    best = scores >= panel.top(scores)[panel.of] - 1e-9
    tied = panel.total(best.astype(np.float64))
    chance = panel.chance[:, None]
    hit = tied * chance
    return chance / tied - chance**2, hit * (1.0 / tied - chance) ** 3 - (1.0 - hit) * chance**3


def cell_gate(
    scores: Floats, names: tuple[str, ...], families: tuple[str, ...], panel: Panel, config: ScreeningConfig
) -> list[ReaderCell]:
    """Return every reader's accuracy and verdict in every cell, type and the whole file.

    Args:
        scores: (m, r) of every reader.
        names: reader names.
        families: family of each reader.
        panel: the items.
        config: significance, margin, confidence, permutations, smallest cell.
    """
    parts = strata_of(panel)
    credit = panel.credit(scores)
    excess = credit - panel.chance[:, None]
    second, third = _null_moments(scores, panel)
    inflation = np.array([fold_inflation(config.folds) if family in TRAINED else 1.0 for family in families])
    tests = adjusted_p(
        [(excess[part], (second[part], third[part]), panel.group[part]) for _, _, part in parts],
        permutations=config.permutations,
        seed=config.seed,
        min_groups=config.min_groups,
        inflation=inflation,
    )
    rows = []
    for (level, name, part), p in zip(parts, tests, strict=True):
        estimate = clustered_interval(
            credit[part], panel.group[part], confidence=config.confidence, inflation=inflation
        )
        chance, n = float(panel.chance[part].mean()), len(part)
        groups = len(np.unique(panel.group[part]))
        verdicts = _verdicts(estimate.accuracy, estimate.low, estimate.high, p, chance, config)
        for r, reader in enumerate(names):
            small = n < config.min_items or groups < config.min_groups
            rows.append(
                ReaderCell(
                    reader,
                    families[r],
                    level,
                    name,
                    n,
                    groups,
                    chance,
                    float(estimate.accuracy[r]),
                    float(estimate.low[r]),
                    float(estimate.high[r]),
                    float(p[r]),
                    "too few" if small else verdicts[r],
                )
            )
    return rows
