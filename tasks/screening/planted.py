"""Made-up multiple-choice items with a leak of known kind and strength: what the readers are tested against.

With strength s the leak marks the key with probability s and an option drawn at random otherwise, so the best text-only
reader is right with probability s + (1 - s)/k, and strength 0 is clean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import yaml

from tasks.screening.items import Item

Leak = Literal["none", "length", "word", "negation", "centrality", "position", "prior"]
LEAKS: tuple[Leak, ...] = get_args(Leak)

SPARED = 0.15  # share of other options that a negation leak leaves affirmative

_VOCABULARY: dict[str, list[str]] = {
    name: words.split()
    for name, words in yaml.safe_load((Path(__file__).parent / "planted.yaml").read_text(encoding="utf-8")).items()
}
_NOUNS, _ADJECTIVES, _SITES = _VOCABULARY["nouns"], _VOCABULARY["adjectives"], _VOCABULARY["sites"]
_DIAGNOSES = tuple(
    f"{kind} of the {organ}"
    for organ in ("colon", "lung", "breast", "kidney")
    for kind in ("adenocarcinoma", "sarcoma", "lymphoma", "adenoma")
)
_STEMS = (
    "Which finding is seen in this field?",
    "What does the higher magnification show?",
    "Which description fits both scales?",
    "What supports the impression?",
)


def _phrase(rng: np.random.Generator) -> list[str]:
    first, second = rng.choice(len(_NOUNS), 2, replace=False)
    return [
        str(rng.choice(_ADJECTIVES)),
        _NOUNS[first],
        "with",
        str(rng.choice(_ADJECTIVES)),
        _NOUNS[second],
        "at the",
        str(rng.choice(_SITES)),
    ]


def _variants_of(core: list[str], rng: np.random.Generator, k: int, marked: int) -> list[list[str]]:
    """Return k options that each differ from `core` in one place, and `core` itself at `marked`."""
    places = rng.permutation([0, 1, 3, 4, 6])
    options = []
    for index in range(k):
        option, place = list(core), int(places[index % len(places)])
        if index != marked:
            while option[place] == core[place]:
                option[place] = _phrase(rng)[place]
        options.append(option)
    return options


def _options(leak: Leak, rng: np.random.Generator, k: int, marked: int) -> list[str]:
    if leak == "prior":
        chosen = np.sort(rng.choice(len(_DIAGNOSES), k, replace=False)).tolist()
        order = [chosen[0], *rng.permutation(chosen[1:]).tolist()]
        order[0], order[marked] = order[marked], order[0]
        return [_DIAGNOSES[index] for index in order]
    phrases = _variants_of(_phrase(rng), rng, k, marked) if leak == "centrality" else [_phrase(rng) for _ in range(k)]
    if leak == "length":
        phrases[marked] += _phrase(rng)[:2]
    elif leak == "word":
        phrases[marked][0] = "characteristic"
    elif leak == "negation":
        for index, phrase in enumerate(phrases):
            phrase[2] = "with" if index == marked or rng.random() < SPARED else "without"
    return [" ".join(phrase) for phrase in phrases]


def planted_items(
    leak: Leak, strength: float, n: int, *, seed: int, k: int = 4, per_group: int = 1, cell: str = "all"
) -> list[Item]:
    """Return n items whose key is given away by one cue with probability `strength`.

    Args:
        leak: the cue; `none` gives clean items.
        strength: 0 (clean) to 1 (the cue always marks the key).
        n: number of items.
        seed: everything drawn depends on it alone.
        k: options per item.
        per_group: items per patient.
        cell: screening cell of all items.
    """
    rng = np.random.default_rng([seed, LEAKS.index(leak), n])
    items = []
    for index in range(n):
        key = int(rng.integers(k))
        marked = key if rng.random() < strength else int(rng.integers(k))
        options = _options(leak, rng, k, marked)
        if leak == "position":  # put the marked option second, and follow the key
            options[1], options[marked] = options[marked], options[1]
            key = 1 if key == marked else marked if key == 1 else key
        items.append(
            Item(
                item_id=f"{cell}-{leak}-{index:06d}",
                question=_STEMS[int(rng.integers(len(_STEMS)))],
                options=tuple(options),
                key=key,
                group=f"patient-{index // per_group:05d}",
                cell=cell,
                type=cell,
            )
        )
    return items
