"""Every byte of a release against its manifest."""

from __future__ import annotations

import hashlib
from typing import Any

from schemas.errors import InputError, StoreError
from tasks.releases.read import Release, read_release
from tasks.releases.stores import MANIFEST

BLOCK_BYTES = 1 << 20


def verify(release: Release) -> list[str]:
    """Hash every file of a release again; return one line per problem, none where all is well."""
    problems = []
    expected = {MANIFEST}
    for entry in release.entries():
        expected.add(entry["path"])
        if problem := _compare(release, entry):
            problems.append(f"{entry['path']} {problem}")
    problems += [f"{name} does not belong to the release" for name in sorted(_present(release) - expected)]
    try:
        read_release(release.store, release.folder, release.name)
    except (InputError, StoreError) as error:
        problems.append(error.problem)
    return problems


def _compare(release: Release, entry: dict[str, Any]) -> str:
    hasher, size = hashlib.sha256(), 0
    try:
        with release.open(entry["path"]) as stream:
            while block := stream.read(BLOCK_BYTES):
                hasher.update(block)
                size += len(block)
    except FileNotFoundError:
        return "is missing"
    if size != entry["bytes"]:
        return f"has {size} bytes, not {entry['bytes']}"
    return "" if hasher.hexdigest() == entry["sha256"] else "was altered: its digest differs"


def _present(release: Release) -> set[str]:
    return set(release.store.walk(release.folder))
