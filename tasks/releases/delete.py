"""Deletion of a version: its files go, and its number is never used again."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import InputError
from schemas.ids import canonical_json
from tasks.releases.past import known_release, known_releases, withdrawn_marks
from tasks.releases.stores import MANIFEST, ReleaseStore, claim_path, objects_of, open_store, tombstone_path
from tasks.releases.tags import list_tags, point_latest
from tasks.releases.versions import LATEST, datasets, taken_numbers, versions


def delete(place: ReleaseStore | Path | str, dataset: str, version: str) -> int:
    """Delete a version, and the objects that no other version of the store names; interrupted, it is run again.

    What stays is a note that it was there, with the marks of those who had withdrawn before it. Tags that point to it
    go, and `latest` points to the highest version that is left. Nobody may publish into the store meanwhile: an object
    that a publisher counts on might go.

    Args:
        place: a store or its address.
        dataset: name of the dataset.
        version: the version, no tag; also what is left of one that was deleted by hand or never carried out.

    Returns:
        How many objects were removed.

    Raises:
        InputError: the dataset has no such version.
        StoreError: the manifest of a version was altered, so that nobody knows what it needs.
    """
    store = open_store(place) if isinstance(place, (Path, str)) else place
    if dataset not in datasets(store) or version not in taken_numbers(store, dataset):
        known = ", ".join(versions(store, dataset)) or "none"
        raise InputError(f"{dataset} has no version {version!r}", remedy=f"its versions: {known}")
    release = known_release(store, dataset, version)
    marks = withdrawn_marks(release) if release else []
    store.create(tombstone_path(dataset, version), canonical_json({"withdrawn": marks}).encode())
    theirs = {path for _, path in objects_of(release.manifest)} if release else set()
    removed = sum(store.remove(path) for path in sorted(theirs - _needed(store, f"{dataset}/{version}")))
    for path in (f"{dataset}/{version}/{MANIFEST}", f"{dataset}/{version}", claim_path(dataset, version)):
        store.remove(path)
    _untag(store, dataset, version)
    return removed


def _needed(store: ReleaseStore, but: str) -> set[str]:
    """Return the objects that the versions of a store name, of all but one."""
    others = (one for dataset in datasets(store) for one in known_releases(store, dataset) if one.folder != but)
    return {path for one in others for _, path in objects_of(one.manifest)}


def _untag(store: ReleaseStore, dataset: str, version: str) -> None:
    left = versions(store, dataset)
    for tag, named in list_tags(store, dataset).items():
        if named == version and (tag != LATEST or not left):
            store.remove(f"{dataset}/tags/{tag}")
    if left:
        point_latest(store, dataset)
