"""Folds for out-of-fold reading: patients are kept whole, and balanced texts stay balanced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tasks.screening.items import Ints, Panel


def _even(keys: Ints, size: int) -> bool:
    """Return whether every one of `size` options is the key equally often, give or take one."""
    counts = np.unique(keys, return_counts=True)[1]
    return len(counts) == size and int(counts.max() - counts.min()) <= 1


def _signatures(panel: Panel, numbers: Ints) -> list[tuple[int, ...]]:
    """Return per item its option texts in any order."""
    return [
        tuple(sorted(numbers[start : start + size].tolist()))
        for start, size in zip(panel.starts.tolist(), panel.sizes.tolist(), strict=True)
    ]


def _balanced_sets(panel: Panel, signatures: list[tuple[int, ...]], keys: Ints, order: Ints) -> list[list[int]]:
    """Return the items of declared counterbalanced sets, and of equal texts whose keys are balanced."""
    sets: dict[object, list[int]] = defaultdict(list)
    for i in order.tolist():
        item = panel.items[i]
        sets[item.option_set if item.option_set is not None else (item.question, signatures[i])].append(i)
    return [
        members
        for name, members in sets.items()
        if len(members) > 1 and (isinstance(name, str) or _even(keys[members], int(panel.sizes[members[0]])))
    ]


def _strata(signatures: list[tuple[int, ...]], keys: Ints) -> list[int]:
    """Return the key of items whose options recur with balanced keys (yes and no, say); -1 for all others."""
    recurring: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, signature in enumerate(signatures):
        recurring[signature].append(i)
    strata = [-1] * len(keys)
    for number, (signature, members) in enumerate(recurring.items()):
        if len(members) > 1 and _even(keys[members], len(signature)):
            for i in members:
                strata[i] = number * (int(keys.max()) + 1) + int(keys[i])
    return strata


def _deal(members: Sequence[int], keys: Ints, fold: Ints, folds: int, offset: int) -> None:
    turns: dict[int, int] = defaultdict(int)
    for i in members:
        fold[i] = (offset + turns[int(keys[i])]) % folds
        turns[int(keys[i])] += 1


def _place_groups(units: dict[int, list[int]], strata: list[int], fold: Ints, folds: int) -> None:
    """Give every group the fold in which its keys are rarest so far (greedy, largest group first)."""
    load = np.bincount(fold[fold >= 0], minlength=folds).tolist()
    seen: list[dict[int, int]] = [defaultdict(int) for _ in range(folds)]
    for members in sorted(units.values(), key=lambda unit: -len(unit)):
        counts: dict[int, int] = defaultdict(int)
        for i in members:
            if strata[i] >= 0:
                counts[strata[i]] += 1
        best = min(
            range(folds), key=lambda f: (load[f] + sum(n * seen[f].get(s, 0) for s, n in counts.items()), load[f], f)
        )
        for stratum, n in counts.items():
            seen[best][stratum] += n
        load[best] += len(members)
        fold[members] = best


def assign_folds(panel: Panel, numbers: Ints, *, folds: int, seed: int) -> Ints:
    """Return the fold (n,) that holds each item out.

    Items of a counterbalanced set, declared or found (equal question and options, every option the key equally often),
    are dealt key by key, whatever their patient: their text cannot tell patients apart, and an exactly balanced set
    must stay balanced in training as well as in the held-out part. Otherwise the training part lacks just the key that
    is held out, and every fitted reader falls below chance (anti-learning: Kowalczyk and Chapelle 2005). All other
    items keep their patient whole; keys are spread evenly only where they are balanced in the file, because
    stratifying by keys that merely happened to be uneven would show every reader the held-out part's chance deviations.

    Args:
        panel: the items.
        numbers: (m,) equal for options of equal text.
        folds: number of folds wanted; fewer where there are fewer groups.
        seed: order in which equal groups are placed.
    """
    order = np.random.default_rng(seed).permutation(len(panel.items))
    keys = numbers[panel.key_row]
    signatures = _signatures(panel, numbers)
    fold = np.full(len(panel.items), -1, dtype=np.int64)
    for offset, members in enumerate(_balanced_sets(panel, signatures, keys, order)):
        _deal(members, keys, fold, folds, offset)
    rest = [i for i in order.tolist() if fold[i] < 0]
    units: dict[int, list[int]] = defaultdict(list)
    for i in rest:
        units[int(panel.group[i])].append(i)
    if len(units) == 1 and len(rest) == len(panel.items):
        units = {i: [i] for i in rest}  # one patient alone: nothing to keep apart
    _place_groups(units, _strata(signatures, keys), fold, folds)
    return fold
