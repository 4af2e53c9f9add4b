"""Reading releases: open, list, show. Nothing here is needed to read the data: they are plain Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from schemas.errors import InputError
from tasks.releases.manifest import Manifest, parse_manifest
from tasks.releases.stores import MANIFEST, ReleaseStore, open_store
from tasks.releases.versions import LATEST, datasets, resolve_version, versions


@dataclass(frozen=True)
class Release:
    """A published version."""

    store: ReleaseStore
    folder: str
    manifest: Manifest

    @property
    def dataset(self) -> str:
        """Return the name of the dataset."""
        return str(self.manifest["dataset"])

    @property
    def version(self) -> str:
        """Return the version."""
        return str(self.manifest["version"])

    @property
    def schema_version(self) -> int:
        """Return the version of the tables' columns."""
        return int(self.manifest.get("schema_version", 1))

    @property
    def fingerprint(self) -> str:
        """Return the digest of every cell; it ignores row order and file layout."""
        return str(self.manifest["fingerprint"])

    @property
    def uri(self) -> str:
        """Return the address of the version's folder."""
        return "/".join(part for part in (self.store.uri, self.folder) if part)

    @property
    def path(self) -> Path:
        """Return the version's folder; only where the store is a local folder."""
        return Path(self.uri)

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Return what the manifest says of each table."""
        return dict(self.manifest["tables"])

    def files(self, table: str, split: str | None = None) -> list[str]:
        """Return the addresses of a table's Parquet files, of one split or of all.

        Raises:
            InputError: the release has no such table.
        """
        if table not in self.tables:
            raise InputError(f"{self.name} has no table {table!r}", remedy=f"it has {', '.join(self.tables)}")
        entries = self.tables[table]["files"]
        return [f"{self.uri}/{entry['path']}" for entry in entries if split in (None, entry["split"])]

    def open(self, path: str) -> BinaryIO:
        """Return a file of the version, open for reading.

        Raises:
            FileNotFoundError: it is not there.
        """
        return self.store.open("/".join(part for part in (self.folder, path) if part))

    @property
    def name(self) -> str:
        """Return dataset and version for people."""
        return f"{self.dataset} {self.version}"

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield path, digest and size of every file of the version, less the manifest."""
        for table in self.tables.values():
            yield from table["files"]
        yield from self.manifest["documents"]


def open_release(place: ReleaseStore | Path | str, dataset: str = "", version: str = LATEST) -> Release:
    """Return a release from a store, or from its own folder.

    Args:
        place: a store, its address, or the folder of one version (then nothing else is needed).
        dataset: name of the dataset in the store.
        version: version or tag.

    Raises:
        InputError: there is no such dataset, version or tag.
        StoreError: the manifest was altered.
    """
    store = open_store(place) if isinstance(place, (Path, str)) else place
    if not dataset:
        return read_release(store, "", f"folder {Path(store.uri).name}")
    folder = f"{dataset}/{resolve_version(store, dataset, version)}"
    return read_release(store, folder, folder.replace("/", " "))


def read_release(store: ReleaseStore, folder: str, where: str) -> Release:
    """Return the release in a folder of a store.

    Raises:
        InputError: the folder has no manifest.
        StoreError: the manifest was altered.
    """
    try:
        data = store.read(f"{folder}/{MANIFEST}" if folder else MANIFEST)
    except FileNotFoundError as error:
        raise InputError(
            f"{where} is not a release: it has no {MANIFEST}", remedy="list the store's releases"
        ) from error
    return Release(store, folder, parse_manifest(data, where))


def list_releases(place: ReleaseStore | Path | str) -> list[Release]:
    """Return every release of a store, by dataset and version."""
    store = open_store(place) if isinstance(place, (Path, str)) else place
    return [
        open_release(store, dataset, version) for dataset in datasets(store) for version in versions(store, dataset)
    ]


def show(release: Release) -> dict[str, Any]:
    """Return what a person asks of a release first: name, fingerprint, rows by table and split, sizes, parents."""
    manifest = release.manifest
    tables = {
        name: {"rows": table["rows"], "splits": table["splits"], "files": len(table["files"])}
        for name, table in release.tables.items()
    }
    return {
        "dataset": release.dataset,
        "version": release.version,
        "title": manifest["title"],
        "licence": manifest["licence"],
        "created": manifest["created"],
        "fingerprint": release.fingerprint,
        "parents": manifest["parents"],
        "bytes": sum(entry["bytes"] for entry in release.entries()),
        "tables": tables,
        "gate": {check["name"]: check["passed"] for check in manifest["gate"]},
        "code_version": manifest["code_version"],
        "uri": release.uri,
    }
