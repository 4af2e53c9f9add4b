"""Leak analysis: which cue gives the key away, in a cell and in one item."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.screening.items import Floats, Panel, normalised
from tasks.screening.words import tokens

# The likelihood ratio of a one-parameter reader is chi-square with one degree of freedom: 10.83 is p = 0.001.
_RATIO = 10.83
# Between cues that tell about as much, the more specific one is named: a negation also changes length and similarity,
# and a marker word is also a frequent word.
_PREFERENCE = {
    "position": 1.0,
    "polarity": 0.97,
    "certainty": 0.97,
    "amount": 0.95,
    "surface": 0.92,
    "length": 0.90,
    "question overlap": 0.85,
    "centrality": 0.85,
    "prior": 0.80,
    "wording": 0.75,
    "rarity": 0.55,
}
COMBINATION = "combination"


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue that gives keys away: how many bits a question, the reader that reads it alone, and examples."""

    name: str
    bits: float
    reader: str
    accuracy: float
    examples: tuple[str, ...] = ()


def _telling_words(panel: Panel, items: NDArray[np.int64], whole_options: bool) -> tuple[str, ...]:
    """Return the words (or whole options) that stand in keys far more, or far less, often than chance has it."""
    in_keys: Counter[str] = Counter()
    expected: defaultdict[str, float] = defaultdict(float)
    spread: defaultdict[str, float] = defaultdict(float)
    for i in items.tolist():
        item = panel.items[i]
        chance = 1.0 / len(item.options)
        for index, option in enumerate(item.options):
            words = {normalised(option)} if whole_options else set(tokens(option))
            for word in words:
                expected[word] += chance
                spread[word] += chance * (1.0 - chance)
                in_keys[word] += index == item.key
    surprise = {word: (in_keys[word] - expected[word]) / (spread[word] + 1.0) ** 0.5 for word in expected}
    ordered = sorted(surprise, key=lambda word: (-abs(surprise[word]), word))
    return tuple(f"{word} ({surprise[word]:+.1f})" for word in ordered[:5] if abs(surprise[word]) > 3.5)


def cell_cues(
    panel: Panel,
    members: NDArray[np.int64],
    readers: tuple[tuple[str, ...], tuple[str, ...]],
    bits: Floats,
    credit: Floats,
) -> tuple[Cue, ...]:
    """Return the cues that give keys away in a part of the file, the most telling first.

    Every reader that looks at one cue alone is asked for its mean information about the key; a cue counts where the
    likelihood ratio of that information is beyond p = 0.001 and it tells at least a fifth of what the best cue tells.

    Args:
        panel: the items.
        members: the items of the part.
        readers: names (r,) and the one cue of each reader; empty for readers that combine cues.
        bits: (n, r) pointwise V-information.
        credit: (n, r) expected correctness.
    """
    names, cues = readers
    n = len(members)
    mean_bits = bits[members].mean(axis=0)
    accuracy = credit[members].mean(axis=0)
    best: dict[str, int] = {}
    for column, cue in enumerate(cues):
        if cue and (cue not in best or mean_bits[column] > mean_bits[best[cue]]):
            best[cue] = column
    counted = [cue for cue, column in best.items() if 2.0 * np.log(2.0) * n * mean_bits[column] > _RATIO]
    counted.sort(key=lambda cue: -mean_bits[best[cue]] * _PREFERENCE.get(cue, 1.0))
    found = []
    for cue in counted:
        column = best[cue]
        if mean_bits[column] < 0.2 * mean_bits[best[counted[0]]]:
            continue
        examples = _telling_words(panel, members, cue == "prior") if cue in ("prior", "wording") else ()
        found.append(Cue(cue, float(mean_bits[column]), names[column], float(accuracy[column]), examples))
    return tuple(found)


def item_cues(items: NDArray[np.int64], cues: tuple[str, ...], bits: Floats) -> list[str]:
    """Return per item the cue whose reader alone knows most of its key; `combination` where none knows anything."""
    columns = np.array([column for column, cue in enumerate(cues) if cue], dtype=np.int64)
    if not len(columns) or not len(items):
        return [COMBINATION] * len(items)
    weight = np.array([_PREFERENCE.get(cues[column], 1.0) for column in columns])
    alone = bits[np.ix_(items, columns)] * weight
    best = alone.argmax(axis=1)
    return [
        cues[columns[column]] if alone[row, column] > 0.05 else COMBINATION for row, column in enumerate(best.tolist())
    ]
