"""Which versions a dataset has, in which order, and what tags name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from schemas.errors import InputError
from tasks.releases.config import RESERVED, SEMVER
from tasks.releases.stores import CLAIMS, DELETED, MANIFEST, ReleaseStore

LATEST = "latest"


def resolve_version(store: ReleaseStore, dataset: str, version: str) -> str:
    """Return the version that a version or tag names.

    Raises:
        InputError: there is no such tag.
    """
    if re.match(SEMVER, version):
        return version
    try:
        return store.read(f"{dataset}/tags/{version}").decode().strip()
    except FileNotFoundError as error:
        known = ", ".join(versions(store, dataset)) or "none"
        raise InputError(f"{dataset} has no version or tag {version!r}", remedy=f"its versions: {known}") from error


def versions(store: ReleaseStore, dataset: str) -> list[str]:
    """Return the published versions of a dataset, oldest first by precedence."""
    found = [name for name in store.names(dataset) if re.match(SEMVER, name)]
    return sorted((name for name in found if MANIFEST in store.names(f"{dataset}/{name}")), key=precedence)


def datasets(store: ReleaseStore) -> list[str]:
    """Return the names of a store's datasets."""
    return [name for name in store.names("") if name not in RESERVED]


def taken_numbers(store: ReleaseStore, dataset: str) -> list[str]:
    """Return the numbers that are not free, lowest first: of versions, bare folders, claims and deleted versions."""
    noted = [name.removesuffix(".json") for folder in (CLAIMS, DELETED) for name in store.names(f"{dataset}/{folder}")]
    return sorted({name for name in (*store.names(dataset), *noted) if re.match(SEMVER, name)}, key=precedence)


def deleted_versions(store: ReleaseStore, dataset: str) -> list[str]:
    """Return the versions of a dataset that were deleted, in the order of their names."""
    return [name.removesuffix(".json") for name in store.names(f"{dataset}/{DELETED}")]


def next_version(taken: Sequence[str]) -> str:
    """Return the minor version after the highest number; 1.0.0 where there is none, 2.0.0 after 2.0.0-rc.1."""
    core, _, suffix = taken[-1].partition("-") if taken else ("1.0.0", "", "first")
    major, minor, _ = core.split(".")
    return core if suffix else f"{major}.{int(minor) + 1}.0"


def precedence(version: str) -> tuple[Any, ...]:
    """Return a key that sorts versions by precedence (semver.org 2.0.0, item 11)."""
    core, _, suffix = version.partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in suffix.split(".") if suffix]
    return (tuple(int(number) for number in core.split(".")), not suffix, tuple(parts))
