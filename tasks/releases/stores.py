"""Where releases lie: a local folder, or a bucket. Objects are added, versions appear whole, and neither ever changes.

Both kinds of store keep one promise: a version's `manifest.json` is there only when everything that it names is, and
of several publishers of one version exactly one succeeds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from schemas.errors import StoreError
from tasks.scratch import remove_stale, settle

MANIFEST = "manifest.json"
OBJECTS = "objects"
CLAIMS, DELETED = "claims", "deleted"
SCRATCH = ".scratch-"
STALE_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A file of a version that is an object of the store."""

    sha256: str


Content = ObjectRef | bytes


def object_path(sha256: str) -> str:
    """Return where an object lies in its store."""
    return f"{OBJECTS}/{sha256}.parquet"


def claim_path(dataset: str, version: str) -> str:
    """Return where a bucket keeps the manifest that won a version."""
    return f"{dataset}/{CLAIMS}/{version}.json"


def tombstone_path(dataset: str, version: str) -> str:
    """Return where it stands that a version was deleted."""
    return f"{dataset}/{DELETED}/{version}.json"


def objects_of(manifest: Mapping[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return every file that a manifest names and the object that it is; a folder keeps no objects of documents."""
    files = [(entry, object_path(entry["sha256"])) for table in manifest["tables"].values() for entry in table["files"]]
    return files + [(entry, f"{OBJECTS}/{entry['sha256']}") for entry in manifest["documents"]]


def always() -> bool:
    """Say that nothing stands in the way."""
    return True


class ReleaseStore(Protocol):
    """What publishing and reading ask of a store; paths are relative, with slashes."""

    @property
    def uri(self) -> str:
        """Return the address that readers of any kind can open."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """Return a context with a local folder for files in the making."""
        ...

    def has_object(self, sha256: str, size: int) -> bool:
        """Return whether an object of that size is there."""
        ...

    def add_object(self, path: Path, sha256: str) -> None:
        """Move a local file in as an object; one that is there already is left alone."""
        ...

    def publish(
        self, folder: str, contents: Mapping[str, Content], manifest: bytes, may: Callable[[], bool] = always
    ) -> bool:
        """Make a version appear, manifest last.

        Returns:
            False where another publisher was first, or where `may`, asked at the last moment, says no.
        """
        ...

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise FileNotFoundError where there is none."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Return a file, open for reading anywhere in it; raise FileNotFoundError where there is none."""
        ...

    def walk(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, relative to it, sorted."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none where there is no such folder."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file unless it is there already; return whether it was written."""
        ...

    def replace(self, path: str, data: bytes) -> None:
        """Write a small file in one step, over an older one if there is one."""
        ...

    def remove(self, path: str) -> bool:
        """Remove a file, or a folder with all that is in it; return whether there was one."""
        ...


class LocalStore:
    """A store in a folder. Versions are made aside and appear by one rename; their data are hard links to objects."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        """Return the folder."""
        return str(self.root)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a hidden folder on the store's own file system; folders of killed publishers are swept."""
        self.root.mkdir(parents=True, exist_ok=True)
        sweep(self.root)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=self.root, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def has_object(self, sha256: str, size: int) -> bool:
        """Return whether an object of that size is there."""
        try:
            return (self.root / object_path(sha256)).stat().st_size == size
        except FileNotFoundError:
            return False

    def add_object(self, path: Path, sha256: str) -> None:
        """Move a file of the scratch folder in as an object."""
        place = self.root / object_path(sha256)
        if self.has_object(sha256, path.stat().st_size):
            path.unlink()
            return
        settle(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)

    def publish(
        self, folder: str, contents: Mapping[str, Content], manifest: bytes, may: Callable[[], bool] = always
    ) -> bool:
        """Make the version in a hidden folder and rename it into place; no other of its dataset comes in between."""
        place = self.root / folder
        if place.exists():
            return False
        with self.scratch() as scratch:
            made = scratch / "version"
            for name, content in contents.items():
                self._put(made / name, content)
            (made / MANIFEST).write_bytes(manifest)
            made.chmod(0o755)
            settle(*made.rglob("*"), made)
            place.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(place.parent.name):
                if place.exists() or not may():
                    return False
                made.rename(place)
            settle(place.parent)
        return True

    @contextmanager
    def _alone(self, dataset: str) -> Iterator[None]:
        """Keep other publishers of a dataset waiting."""
        with (self.root / f".{dataset}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _put(self, path: Path, content: Content) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
            return
        source = self.root / object_path(content.sha256)
        try:
            path.hardlink_to(source)
        except FileNotFoundError as error:
            raise StoreError(f"object {content.sha256} has gone from the store", remedy="publish again") from error
        except OSError:  # a file system without hard links, or an object that has too many
            shutil.copyfile(source, path)

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        return (self.root / path).read_bytes()

    def open(self, path: str) -> BinaryIO:
        """Return a file, open for reading."""
        return (self.root / path).open("rb")

    def walk(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder."""
        top = self.root / folder
        return sorted(path.relative_to(top).as_posix() for path in top.rglob("*") if not path.is_dir())

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, hidden ones left out."""
        try:
            return sorted(name for name in os.listdir(self.root / folder) if not name.startswith("."))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return []

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file unless it is there: whole, by a link from a file made aside."""
        with self.scratch() as scratch:
            made = scratch / "made"
            made.write_bytes(data)
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                place.hardlink_to(made)
            except FileExistsError:
                return False
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Write a small file by a rename over the older one."""
        with self.scratch() as scratch:
            made = scratch / "made"
            made.write_bytes(data)
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            made.replace(place)

    def remove(self, path: str) -> bool:
        """Remove a file or a folder: it goes by one rename."""
        with self.scratch() as scratch:
            try:
                (self.root / path).rename(scratch / "gone")
            except FileNotFoundError:
                return False
        return True


def sweep(root: Path, older_than_s: float = STALE_S) -> int:
    """Remove the scratch folders that killed publishers left behind; return how many."""
    return remove_stale(root.glob(f"{SCRATCH}*"), older_than_s)


def open_store(place: Path | str) -> ReleaseStore:
    """Return the store at a folder or an address such as `s3://bucket/prefix`."""
    if "://" in str(place):
        from tasks.releases.buckets import BucketStore

        return BucketStore(str(place))
    return LocalStore(Path(place))
