"""Which cues a fitted reader leans on: permutation importance (Breiman 2001, sec. 10), within each question.

A cue's values are shuffled among the options of each question, for questions that the reader did not learn from; what
its accuracy then loses, it had by that cue. Unlike a reader of one cue alone this sees what cues tell together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.screening.features import Features
from tasks.screening.fitted import CueModel
from tasks.screening.items import Floats, Ints, Panel, panel_of
from tasks.screening.lexical import CUE_NAMES, CUES

SHUFFLES = 3
ITEMS = 2_000  # questions of a part that are looked at, at most
LEAST = 0.01  # losses below a point are not told


@dataclass(frozen=True, slots=True)
class Importance:
    """What one fitted reader of cues loses without one of them: accuracy with all cues, and with this one shuffled."""

    cue: str
    reader: str
    accuracy: float
    without: float


def _columns(cue: str, width: int) -> list[int]:
    """Return the columns of a cue's values: blocks of one column per raw cue, in the same order."""
    own = [place for place, name in enumerate(CUE_NAMES) if CUES[name] == cue]
    return [block + place for block in range(0, width - width % len(CUE_NAMES), len(CUE_NAMES)) for place in own]


def _scores(models: Mapping[int, CueModel], values: NDArray[np.floating], fold: Ints) -> Floats:
    scores = np.zeros(len(values))
    for held, model in models.items():
        rows = fold == held
        if rows.any():
            scores[rows] = model.score(values[rows])
    return scores


def cue_importance(
    features: Features, fold: Ints, models: Mapping[str, Mapping[int, CueModel]], members: Ints, seed: int
) -> tuple[Importance, ...]:
    """Return what the furthest reader from chance loses without each cue in a part of the file, the largest loss first.

    Args:
        features: what readers look at.
        fold: (n,) fold of each item.
        models: per reader and held-out fold the model that was fitted without that fold.
        members: the items of the part.
        seed: seed of shuffles, and of the sample of large parts.
    """
    if not models:
        return ()
    rng = np.random.default_rng([seed, 2])
    which = members
    if len(which) > ITEMS:
        which = np.sort(rng.choice(which, ITEMS, replace=False))
    panel = panel_of([features.panel.items[i] for i in which.tolist()])
    rows = np.repeat(features.panel.starts[which] - panel.starts, panel.sizes) + np.arange(len(panel.of))
    fold_of = fold[which][panel.of]
    chance = float(panel.chance.mean())
    best: tuple[str, NDArray[np.floating], float] | None = None
    for reader, by_fold in models.items():
        values = getattr(features, next(iter(by_fold.values())).shown)[rows]
        accuracy = float(panel.credit(_scores(by_fold, values, fold_of)).mean())
        if best is None or abs(accuracy - chance) > abs(best[2] - chance):
            best = reader, values, accuracy
    return () if best is None else _losses(*best, models[best[0]], panel, fold_of, rng)


def _losses(
    reader: str,
    values: NDArray[np.floating],
    accuracy: float,
    models: Mapping[int, CueModel],
    panel: Panel,
    fold: Ints,
    rng: np.random.Generator,
) -> tuple[Importance, ...]:
    chance = float(panel.chance.mean())
    found = []
    for cue in dict.fromkeys(CUES.values()):
        columns, without = _columns(cue, values.shape[1]), []
        for _ in range(SHUFFLES):
            shuffled = values.copy()
            order = np.lexsort((rng.random(len(panel.of)), panel.of))
            shuffled[:, columns] = values[order][:, columns]
            without.append(panel.credit(_scores(models, shuffled, fold)).mean())
        one = Importance(cue, reader, accuracy, float(np.mean(without)))
        loss = abs(accuracy - chance) - abs(one.without - chance)  # a reader below chance leans on cues as well
        if loss >= LEAST:
            found.append((loss, one))
    return tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))
