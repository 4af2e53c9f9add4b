"""Assignment of patients to train, validation and test: no patient stands in two splits."""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Mapping

from schemas.errors import ConfigError

_log = logging.getLogger(__name__)


def assign_splits(
    items_of_patient: Mapping[str, int],
    *,
    shares: Mapping[str, float],
    seed: int,
    organ_of_patient: Mapping[str, str | None] | None = None,
) -> dict[str, str]:
    """Return the split of every patient, so that the splits' shares of items come near `shares`.

    Patients are taken from the largest to the smallest (ties in seeded order); each goes to the split that lacks most,
    over all items and, where organs are known, over the items of the patient's organ. A split left empty then receives
    the smallest patient of the fullest split, so that every split holds someone wherever there are patients enough.

    Args:
        items_of_patient: patient id -> number of items (fields, reports, ...), zero allowed.
        shares: split name -> wanted share, in order of precedence; shares are positive and sum to 1.
        seed: order among patients of equal size.
        organ_of_patient: patient id -> organ; splits are balanced within organs too.

    Returns:
        patient id -> split, sorted by patient id. With fewer patients than splits the first split is served first,
        then the last, then those between; this is logged as a warning.

    Raises:
        ConfigError: shares are empty, not positive or do not sum to 1.

    Determinism: depends on the arguments alone, not on the order of the mappings.
    """
    if not shares or any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"split shares {dict(shares)} are not positive numbers that sum to 1", remedy="correct them")
    patients = sorted(items_of_patient)
    if len(patients) < len(shares):
        return _too_few(patients, list(shares))
    organs = organ_of_patient or {}
    random.Random(f"splits/{seed}").shuffle(patients)
    patients.sort(key=lambda patient: -items_of_patient[patient])
    split_of = _greedy(patients, items_of_patient, shares, organs)
    _fill_empty(split_of, patients, shares)
    return dict(sorted(split_of.items()))


def _too_few(patients: list[str], names: list[str]) -> dict[str, str]:
    order = [names[0], *reversed(names[1:])]
    split_of = dict(zip(patients, order, strict=False))
    empty = [name for name in names if name not in split_of.values()]
    _log.warning("%d patient(s) for %d splits: %s stay(s) empty", len(patients), len(names), ", ".join(empty))
    return split_of


def _greedy(
    patients: list[str], sizes: Mapping[str, int], shares: Mapping[str, float], organs: Mapping[str, str | None]
) -> dict[str, str]:
    total: dict[str | None, int] = defaultdict(int)  # items per organ
    for patient in patients:
        total[organs.get(patient)] += sizes[patient]
    whole = max(sum(total.values()), 1)
    held: dict[str, int] = dict.fromkeys(shares, 0)
    held_organ: dict[tuple[str, str | None], int] = defaultdict(int)
    split_of: dict[str, str] = {}
    for patient in patients:
        organ = organs.get(patient)
        lacks = {
            name: (share - held[name] / whole) + (share - held_organ[name, organ] / max(total[organ], 1))
            for name, share in shares.items()
        }
        chosen = max(lacks, key=lambda name: lacks[name])
        split_of[patient] = chosen
        held[chosen] += sizes[patient]
        held_organ[chosen, organ] += sizes[patient]
    return split_of


def _fill_empty(split_of: dict[str, str], patients: list[str], shares: Mapping[str, float]) -> None:
    for name in shares:
        members = list(split_of.values())
        if name in members:
            continue
        fullest = max(shares, key=members.count)
        smallest = [patient for patient in patients if split_of[patient] == fullest][-1]
        split_of[smallest] = name
