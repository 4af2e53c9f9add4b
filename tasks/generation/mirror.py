"""Mirrored pairs: a subset of perturbations on which a text-only reader of pairs scores exactly one half.

Two texts T and U make a mirrored pair where T is a caption with the perturbation U, and elsewhere U is a caption with
the perturbation T. With each direction equally often, whatever a reader prefers of T and U is right half of the time:
an identity of counting that no strength of reader changes (SugarCrepe found the opposite in every earlier benchmark).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping

from schemas.records import Perturbation


def mirrored(
    perturbations: Iterable[Perturbation],
    text_of_caption: Mapping[str, str],
    split_of_patient: Mapping[str, str],
    seed: int,
    *,
    across_patients: bool = False,
) -> list[str]:
    """Return the ids of perturbations in mirrored pairs, both directions equally often.

    Both directions are of one patient, so that a reader fitted and cross-validated by patient finds no imbalance
    between folds either. Across the patients of a split more pairs are found, but such a reader falls below one half:
    what its training folds have too much of, the held-out fold has too little of.

    Args:
        perturbations: candidates, usually the hard negatives.
        text_of_caption: caption id -> text.
        split_of_patient: patient id -> split; other patients' perturbations are left out.
        seed: which ones to take where one direction has more.
        across_patients: True to pair what is left over within each split.

    Returns:
        Sorted perturbation ids.
    """
    pairs: dict[tuple[str, str, str], dict[str, dict[bool, list[str]]]] = defaultdict(
        lambda: defaultdict(lambda: {True: [], False: []})
    )
    for row in perturbations:
        split = split_of_patient.get(row.patient_id)
        if split is not None:
            original = text_of_caption[row.caption_id]
            first, second = sorted((original, row.text))
            pairs[split, first, second][row.patient_id][original == first].append(row.perturbation_id)
    taken: list[str] = []
    for key in sorted(pairs):
        taken += _balanced(pairs[key], random.Random(f"mirror/{seed}/{'/'.join(key)}"), across_patients)
    return sorted(taken)


def _balanced(by_patient: dict[str, dict[bool, list[str]]], chance: random.Random, across_patients: bool) -> list[str]:
    taken: list[str] = []
    left: dict[bool, list[str]] = {True: [], False: []}
    for patient in sorted(by_patient):
        sides = {side: sorted(ids) for side, ids in by_patient[patient].items()}
        count = min(map(len, sides.values()))
        for side, ids in sides.items():
            chance.shuffle(ids)
            taken += ids[:count]
            left[side] += ids[count:]
    count = min(map(len, left.values())) if across_patients else 0
    for ids in left.values():
        chance.shuffle(ids)
        taken += ids[:count]
    return taken
