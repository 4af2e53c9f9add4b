"""What a candidate is judged by beside itself: the versions that its dataset has, and who withdrew from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.ids import digest
from tasks.releases.config import NEXT, ReleaseConfig
from tasks.releases.manifest import parse_manifest
from tasks.releases.read import Release, open_release
from tasks.releases.stores import ReleaseStore, claim_path
from tasks.releases.versions import next_version, precedence, taken_numbers, versions


@dataclass(frozen=True)
class Past:
    """What was there at one look, and the number that a candidate would have after it."""

    taken: list[str]
    there: list[str]
    version: str
    earlier: list[Release]
    withdrawn: dict[str, str]

    def same(self, store: ReleaseStore, dataset: str) -> bool:
        """Return whether nothing has come or gone since."""
        return (self.taken, self.there) == (taken_numbers(store, dataset), versions(store, dataset))


def look_back(store: ReleaseStore, config: ReleaseConfig) -> Past:
    """Look at a dataset's versions, those included that a bucket holds as a claim that was not carried out yet.

    `earlier` are those before the candidate's number, of its major number: a new one may assign patients anew
    (semver.org). `withdrawn` has the mark of everybody who withdrew, and the version that left each out first.
    """
    taken, there = taken_numbers(store, config.dataset), versions(store, config.dataset)  # what comes later is missed
    version = next_version(taken) if config.version == NEXT else config.version
    known = list(_known(store, config.dataset, taken))
    at = precedence(version)
    earlier = [one for one in known if (place := precedence(one.version)) < at and place[0][0] == at[0][0]]
    marks = ((mark, one.version) for one in reversed(known) for mark in one.manifest["lineage"].get("withdrawn", ()))
    return Past(taken, there, version, earlier, dict(marks))


def _known(store: ReleaseStore, dataset: str, taken: Iterable[str]) -> Iterator[Release]:
    there = versions(store, dataset)
    for version in taken:
        if version in there:
            yield open_release(store, dataset, version)
            continue
        try:
            claim = store.read(claim_path(dataset, version))
        except FileNotFoundError:  # a folder without a manifest
            continue
        yield Release(store, f"{dataset}/{version}", parse_manifest(claim, f"the claim of {dataset} {version}"))


def withdrawn_mark(dataset: str, patient: str) -> str:
    """Return what is kept of a patient who withdrew, so that no later version takes them in: a digest, not the name."""
    return digest("withdrawn", dataset, patient)


def returning(dataset: str, patients: Iterable[str], withdrawn: Mapping[str, str]) -> dict[str, str]:
    """Return which of the patients are among those who withdrew, and the version that left each out first."""
    marks = {patient: withdrawn_mark(dataset, patient) for patient in sorted(patients)}
    return {patient: withdrawn[mark] for patient, mark in marks.items() if mark in withdrawn}
