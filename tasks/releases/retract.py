"""When a patient withdraws: a successor version without them, and the list of versions that still hold them."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError
from schemas.migrations import SCHEMA_VERSION
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.pull import pull
from tasks.releases.read import Release, open_release
from tasks.releases.relations import OWNERS
from tasks.releases.rows import read_rows
from tasks.releases.stores import LocalStore, ReleaseStore, open_store
from tasks.releases.versions import taken_numbers, versions
from tasks.releases.withdrawal import without


@dataclass(frozen=True)
class Retraction:
    """The successor without the patient, and the versions that hold them; those are to be deleted by people."""

    successor: Release
    affected: tuple[str, ...]
    rows: dict[str, int]
    unbalanced: int


def retract(place: ReleaseStore | Path | str, dataset: str, patient: str, created: str | None = None) -> Retraction:
    """Publish the latest version without one patient, as the next patch version.

    Everything that belongs to the patient goes; counterbalanced sets are balanced again by leaving out as few questions
    as that takes, each a row in `rejections`. The patient is named nowhere in the successor.

    Args:
        place: a store or its address.
        dataset: name of the dataset.
        patient: pseudonym of the patient.
        created: time of publication, ISO 8601, or None.

    Raises:
        InputError: there is no such dataset, or no version holds the patient, or the latest does not.
        GateError: what is left does not pass the gate.
    """
    store = open_store(place) if isinstance(place, (Path, str)) else place
    latest = open_release(store, dataset)
    affected = tuple(v for v in versions(store, dataset) if holds(open_release(store, dataset, v), patient))
    if latest.version not in affected:
        where = f"only older versions do: {', '.join(affected)}" if affected else "no version does"
        raise InputError(
            f"{latest.name} holds no patient {patient!r}; {where}", remedy="give the pseudonym as in `slides`"
        )
    if latest.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{latest.name} has the columns of schema version {latest.schema_version}",
            remedy="publish a version of the dataset with this Slidesmith first",
        )
    with tempfile.TemporaryDirectory(prefix="slidesmith-retract-") as folder:
        local = latest if isinstance(store, LocalStore) else pull(latest, Path(folder) / "pulled")
        candidate, rows, unbalanced = without(local, patient, Path(folder))
        successor = publish(candidate, next_config(latest), store, created)
    return Retraction(successor, affected, rows, unbalanced)


def holds(release: Release, patient: str) -> bool:
    """Return whether any row of a release belongs to a patient."""
    names = [name for name in OWNERS if name in release.tables]
    return any(patient in read_rows(release, name, ["patient_id"]).column(0).unique().to_pylist() for name in names)


def next_config(release: Release) -> ReleaseConfig:
    """Return the configuration of the next patch version whose number is free."""
    major, minor, patch = release.version.partition("-")[0].split(".")
    taken = taken_numbers(release.store, release.dataset)
    numbers = (f"{major}.{minor}.{at}" for at in itertools.count(int(patch) + 1))
    version = next(number for number in numbers if number not in taken)
    return ReleaseConfig.model_validate({**release.manifest["release_config"], "version": version})
