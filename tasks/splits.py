"""Assignment of patients to train, validation and test: no patient stands in two splits, nor moves to another later."""

from __future__ import annotations

import fcntl
import json
import logging
import random
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import ConfigError
from tasks.scratch import draft_of, settle

_log = logging.getLogger(__name__)


def assign_splits(
    items_of_patient: Mapping[str, int],
    *,
    shares: Mapping[str, float],
    seed: int,
    organ_of_patient: Mapping[str, str | None] | None = None,
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the split of every patient, so that the splits' shares of items come near `shares`.

    Patients that have a split keep it: a model trained on one version of a dataset is then never tested, by a later
    one, on what it has seen. The others are taken from the largest to the smallest (ties in seeded order); each goes to
    the split that lacks most, over all items and, where organs are known, over the items of the patient's organ. Where
    nobody has a split yet, one left empty receives the smallest patient of the fullest, so that every split holds
    someone wherever there are patients enough.

    Args:
        items_of_patient: patient id -> number of items (fields, reports, ...), zero allowed.
        shares: split name -> wanted share, in order of precedence; shares are positive and sum to 1.
        seed: order among patients of equal size.
        organ_of_patient: patient id -> organ; splits are balanced within organs too.
        known: patient id -> split of those that were assigned before, perhaps of more patients than there are now.

    Returns:
        patient id -> split, sorted by patient id. With fewer patients than splits the first split is served first,
        then the last, then those between; this is logged as a warning.

    Raises:
        ConfigError: shares are empty, not positive or do not sum to 1, or a known split is none of them.

    Determinism: depends on the arguments alone, not on the order of the mappings.
    """
    if not shares or any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"split shares {dict(shares)} are not positive numbers that sum to 1", remedy="correct them")
    if strange := sorted(set((known or {}).values()) - set(shares)):
        named = ", ".join(shares)
        raise ConfigError(f"{strange[0]!r} is no split", remedy=f"name one of {named} in the file of splits")
    kept = {patient: split for patient, split in (known or {}).items() if patient in items_of_patient}
    patients = sorted(items_of_patient.keys() - kept.keys())
    if not kept and len(patients) < len(shares):
        return _too_few(patients, list(shares))
    organs = organ_of_patient or {}
    random.Random(f"splits/{seed}").shuffle(patients)
    patients.sort(key=lambda patient: -items_of_patient[patient])
    split_of = _greedy(kept, patients, items_of_patient, shares, organs)
    if not kept:
        _fill_empty(split_of, patients, shares)
    return dict(sorted(split_of.items()))


def read_splits(path: Path) -> dict[str, str]:
    """Return patient -> split from a JSON file, nothing where there is none.

    Raises:
        ConfigError: the file is no JSON object of texts, or cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}", remedy="let this user read it") from error
    except ValueError as error:
        remedy = "restore it, or write {} to begin anew"
        raise ConfigError(f"{path.name} cannot be read as JSON", remedy=remedy) from error
    if not isinstance(found, dict) or not all(isinstance(split, str) for split in found.values()):
        raise ConfigError(f"{path.name} is no object of patient: split", remedy='write e.g. {"p01": "train"}')
    return found


def add_splits(path: Path, splits: Mapping[str, str]) -> dict[str, str]:
    """Add patients to a file of splits and return all that it then holds; who stands there keeps the split.

    Runs that add at once wait for one another, so none loses what another has added. The file is there whole or not at
    all, and its mode stays; where nobody is new it is left as it is.

    Raises:
        ConfigError: the file is no JSON object of texts, or cannot be read.
    """
    known = read_splits(path)
    if splits.keys() <= known.keys():
        return known
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {**splits, **read_splits(path)}
        draft = draft_of(path)
        try:
            draft.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")
            if path.exists():
                shutil.copymode(path, draft)
            settle(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return known


def _too_few(patients: list[str], names: list[str]) -> dict[str, str]:
    order = [names[0], *reversed(names[1:])]
    split_of = dict(zip(patients, order, strict=False))
    empty = [name for name in names if name not in split_of.values()]
    _log.warning("%d patient(s) for %d splits: %s stay(s) empty", len(patients), len(names), ", ".join(empty))
    return split_of


def _greedy(
    kept: Mapping[str, str],
    patients: list[str],
    sizes: Mapping[str, int],
    shares: Mapping[str, float],
    organs: Mapping[str, str | None],
) -> dict[str, str]:
    total: dict[str | None, int] = defaultdict(int)  # items per organ
    for patient in (*kept, *patients):
        total[organs.get(patient)] += sizes[patient]
    whole = max(sum(total.values()), 1)
    held: dict[str, int] = dict.fromkeys(shares, 0)
    held_organ: dict[tuple[str, str | None], int] = defaultdict(int)
    split_of: dict[str, str] = {}
    for patient in (*kept, *patients):
        organ = organs.get(patient)
        lacks = {
            name: (share - held[name] / whole) + (share - held_organ[name, organ] / max(total[organ], 1))
            for name, share in shares.items()
        }
        chosen = kept.get(patient) or max(lacks, key=lambda name: lacks[name])
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
