"""What a candidate is judged by beside itself: the versions that its dataset has, and who withdrew from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.errors import StoreError
from schemas.ids import digest
from tasks.releases.config import NEXT, ReleaseConfig
from tasks.releases.manifest import parse_manifest
from tasks.releases.read import Release
from tasks.releases.stores import MANIFEST, ReleaseStore, claim_path, tombstone_path
from tasks.releases.versions import deleted_versions, next_version, precedence, taken_numbers, versions


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

    Raises:
        StoreError: a claim of the candidate's number was left, and somebody has withdrawn since; it must not come out.
    """
    taken, there = taken_numbers(store, config.dataset), versions(store, config.dataset)  # what comes later is missed
    version = next_version(taken) if config.version == NEXT else config.version
    known = known_releases(store, config.dataset)
    at = precedence(version)
    earlier = [one for one in known if (place := precedence(one.version)) < at and place[0][0] == at[0][0]]
    marks = {one.version: withdrawn_marks(one) for one in known} | dict(_deleted_marks(store, config.dataset))
    ordered = sorted(marks, key=precedence, reverse=True)
    withdrawn = {mark: left for left in ordered for mark in marks[left]}
    if version in taken and version not in there and withdrawn.keys() - set(marks.get(version, withdrawn)):
        raise StoreError(
            f"somebody has withdrawn since {config.dataset} {version} was claimed, which may hold them",
            remedy=f"slidesmith release delete --version {version}, then publish under another version",
        )
    return Past(taken, there, version, earlier, withdrawn)


def known_releases(store: ReleaseStore, dataset: str) -> list[Release]:
    """Return a dataset's versions, lowest first, with those that a bucket holds as a claim that was not carried out."""
    found = (known_release(store, dataset, version) for version in taken_numbers(store, dataset))
    return [release for release in found if release]


def known_release(store: ReleaseStore, dataset: str, version: str) -> Release | None:
    """Return a version, or what a bucket holds of it as a claim; None where nothing tells what it holds."""
    folder = f"{dataset}/{version}"
    for path in (f"{folder}/{MANIFEST}", claim_path(dataset, version)):
        try:
            return Release(store, folder, parse_manifest(store.read(path), folder.replace("/", " ")))
        except FileNotFoundError:
            continue
    return None


def withdrawn_marks(release: Release) -> list[str]:
    """Return the marks of those who withdrew before a version."""
    return list(release.manifest["lineage"].get("withdrawn", ()))


def _deleted_marks(store: ReleaseStore, dataset: str) -> Iterator[tuple[str, list[str]]]:
    for version in deleted_versions(store, dataset):
        yield version, json.loads(store.read(tombstone_path(dataset, version)))["withdrawn"]


def withdrawn_mark(dataset: str, patient: str) -> str:
    """Return what is kept of a patient who withdrew, so that no later version takes them in: a digest, not the name."""
    return digest("withdrawn", dataset, patient)


def returning(dataset: str, patients: Iterable[str], withdrawn: Mapping[str, str]) -> dict[str, str]:
    """Return which of the patients are among those who withdrew, and the version that left each out first."""
    marks = {patient: withdrawn_mark(dataset, patient) for patient in sorted(patients)}
    return {patient: withdrawn[mark] for patient, mark in marks.items() if mark in withdrawn}
