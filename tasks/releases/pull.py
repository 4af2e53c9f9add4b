"""A release copied to a folder: resumed where it was interrupted, and verified byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from pathlib import Path
from typing import Any

from schemas.errors import InputError, StoreError
from schemas.ids import file_sha256
from tasks.releases.manifest import manifest_bytes
from tasks.releases.read import Release, open_release
from tasks.releases.stores import MANIFEST

BLOCK_BYTES = 1 << 20
PART = ".part"


def pull(release: Release, to: Path) -> Release:
    """Copy a release to a folder; what is there already and whole is not fetched again, the manifest comes last.

    Args:
        release: a release of any store.
        to: folder, new or from an interrupted pull of the same release.

    Returns:
        The release in its folder.

    Raises:
        InputError: the folder holds something else.
        StoreError: a file of the release is missing or altered in its store.
    """
    manifest = manifest_bytes(release.manifest)
    there = to / MANIFEST
    if there.exists() and there.read_bytes() != manifest:
        raise InputError(f"{to.name} holds another release", remedy="pull into a new folder")
    if foreign := strangers(to, {entry["path"] for entry in release.entries()} | {MANIFEST}):
        raise InputError(
            f"{to.name} holds {foreign[0]}, which is not of {release.name}", remedy="pull into a new folder"
        )
    for entry in release.entries():
        fetch(release, entry, to / entry["path"])
    to.mkdir(parents=True, exist_ok=True)
    part = there.with_name(MANIFEST + PART)
    part.write_bytes(manifest)
    part.replace(there)
    return open_release(to)


def strangers(folder: Path, wanted: Set[str], under: str = "") -> list[str]:
    """Return, sorted, the paths of a folder's files that are none of those wanted, nor parts of them.

    Args:
        folder: where to look; it need not be there.
        wanted: paths relative to it.
        under: subfolder to look in alone.
    """
    found = {path.relative_to(folder).as_posix() for path in (folder / under).rglob("*") if path.is_file()}
    return sorted(path for path in found if path.removesuffix(PART) not in wanted)


def fetch(release: Release, entry: dict[str, Any], place: Path) -> None:
    """Copy one file of a release to a place, going on where an interrupted copy ended.

    Raises:
        StoreError: the file is missing or altered in its store.
    """
    if place.exists() and place.stat().st_size == entry["bytes"] and file_sha256(place) == entry["sha256"]:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(place.name + PART)
    hasher = hashlib.sha256()
    try:
        with part.open("a+b") as made, release.open(entry["path"]) as stream:
            made.seek(0)
            while block := made.read(BLOCK_BYTES):
                hasher.update(block)
            stream.seek(min(made.tell(), entry["bytes"]))
            while block := stream.read(BLOCK_BYTES):
                hasher.update(block)
                made.write(block)
    except FileNotFoundError as error:
        raise StoreError(f"{release.name} lacks {entry['path']}", remedy="verify the release in its store") from error
    if hasher.hexdigest() != entry["sha256"]:
        part.unlink()
        raise StoreError(
            f"{entry['path']} of {release.name} is not what its manifest says", remedy="pull again; verify the store"
        )
    part.replace(place)
