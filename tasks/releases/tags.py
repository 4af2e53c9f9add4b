"""Tags: names that point to a version. `latest` follows the highest version; others are set by people."""

from __future__ import annotations

import re

from schemas.errors import InputError
from tasks.releases.config import SEMVER, SLUG
from tasks.releases.stores import ReleaseStore
from tasks.releases.versions import LATEST, versions


def point_latest(store: ReleaseStore, dataset: str) -> None:
    """Point `latest` to the highest version, also while others publish: whoever writes last has looked last."""
    while True:
        newest = (versions(store, dataset)[-1] + "\n").encode()
        if _read(store, dataset, LATEST) == newest:
            return
        store.replace(f"{dataset}/tags/{LATEST}", newest)


def _read(store: ReleaseStore, dataset: str, tag: str) -> bytes | None:
    try:
        return store.read(f"{dataset}/tags/{tag}")
    except FileNotFoundError:
        return None


def set_tag(store: ReleaseStore, dataset: str, tag: str, version: str, *, move: bool = False) -> None:
    """Point a tag to a version.

    Args:
        store: the release store.
        dataset: name of the dataset.
        tag: name of the tag, in small letters; not a version, not `latest`.
        version: version that is there.
        move: let a tag that is there point elsewhere.

    Raises:
        InputError: the tag's name cannot be used, the version is not there, or the tag points elsewhere.
    """
    if not re.match(SLUG, tag) or re.match(SEMVER, tag) or tag == LATEST:
        raise InputError(f"{tag!r} cannot be a tag", remedy="use small letters; `latest` is kept by publishing")
    if version not in versions(store, dataset):
        raise InputError(f"{dataset} has no version {version}", remedy="list the store's releases")
    path, data = f"{dataset}/tags/{tag}", (version + "\n").encode()
    if move:
        store.replace(path, data)
    elif not store.create(path, data) and _read(store, dataset, tag) != data:
        there = (_read(store, dataset, tag) or b"").decode().strip()
        raise InputError(f"tag {tag!r} of {dataset} points to {there}", remedy="say --move to point it elsewhere")


def list_tags(store: ReleaseStore, dataset: str) -> dict[str, str]:
    """Return the version that each tag of a dataset points to."""
    return {tag: store.read(f"{dataset}/tags/{tag}").decode().strip() for tag in store.names(f"{dataset}/tags")}
