"""A release store in a bucket (`s3://`), with the same promises as one in a folder.

There is no rename in a bucket, so a version appears in three steps: its files lie in the store as objects; one
conditional put of the whole manifest to `<dataset>/claims/<version>.json` decides who publishes; then objects are
copied to their places in the version, `manifest.json` last. Whoever finds a claim that was not carried out, carries it
out: all that it names is there, and every step can be done twice.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from schemas.errors import StoreError
from tasks.releases.extras import need
from tasks.releases.stores import MANIFEST, OBJECTS, Content, always, claim_path, object_path, objects_of

BLOCK_BYTES = 8 << 20


class BucketStore:
    """A store behind fsspec, on a service that knows conditional puts (S3, MinIO, Ceph, R2).

    Credentials and endpoint come from the environment as for every S3 client (`AWS_ENDPOINT_URL`, ...).
    """

    def __init__(self, uri: str) -> None:
        """Open the store at `s3://bucket/prefix`.

        Raises:
            MissingExtraError: s3fs is not installed.
        """
        self.uri = uri.rstrip("/")
        need("s3fs", "scale", f"a store at {self.uri}")
        fresh = {"use_listings_cache": False, "skip_instance_cache": True}
        files, self._root = need("fsspec.core", "scale", "a bucket").url_to_fs(self.uri, **fresh)
        self._files: Any = files

    def _at(self, path: str) -> str:
        return "/".join(part for part in (self._root, path) if part)

    @contextmanager
    def _reached(self, *, writing: bool = False) -> Iterator[None]:
        """Turn what the client raises into one clear line.

        A file that is missing where one is read, and one that is there where one is created, are told as they are.
        """
        client = need("botocore.exceptions", "scale", "a bucket")
        told = FileExistsError if writing else FileNotFoundError
        try:
            yield
        except told:
            raise
        except (OSError, client.BotoCoreError, client.ClientError) as error:
            problem = f"{self.uri} cannot be used: {type(error).__name__}: {error}"
            raise StoreError(problem, remedy="check address, credentials and network, then publish again") from error

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a local folder for files in the making."""
        with tempfile.TemporaryDirectory(prefix="slidesmith-scratch-") as folder:
            yield Path(folder)

    def has_object(self, sha256: str, size: int) -> bool:
        """Return whether an object of that size is there."""
        return self._size(object_path(sha256)) == size

    def _size(self, path: str) -> int | None:
        with self._reached():
            try:
                return int(self._files.info(self._at(path))["size"])
            except FileNotFoundError:
                return None

    def add_object(self, path: Path, sha256: str) -> None:
        """Upload a file as an object, unless it is there."""
        if not self.has_object(sha256, path.stat().st_size):
            with self._reached(writing=True):
                self._files.put_file(str(path), self._at(object_path(sha256)))
        path.unlink()

    def publish(
        self, folder: str, contents: Mapping[str, Content], manifest: bytes, may: Callable[[], bool] = always
    ) -> bool:
        """Claim the version and carry the claim out.

        Returns:
            False where another manifest claimed it, or where `may` says no. It is asked just before the claim: another
            version that is claimed in the moment between the two is not seen, as a bucket has no lock.
        """
        for content in contents.values():
            if isinstance(content, bytes) and self._size(place := _document(content)) != len(content):
                self.replace(place, content)
        if not may():
            return False
        dataset, _, version = folder.rpartition("/")
        claim = claim_path(dataset, version)
        mine = self.create(claim, manifest) or self.read(claim) == manifest
        self._carry_out(folder, manifest if mine else self.read(claim))
        return mine

    def _carry_out(self, folder: str, manifest: bytes) -> None:
        content = json.loads(manifest)
        for entry, source in objects_of(content):
            if self._size(f"{folder}/{entry['path']}") != entry["bytes"]:
                self.copy(source, f"{folder}/{entry['path']}")
        self.create(f"{folder}/{MANIFEST}", manifest)

    def copy(self, source: str, place: str) -> None:
        """Copy a file within the bucket; the service does it."""
        with self._reached(writing=True):
            self._files.cp_file(self._at(source), self._at(place))

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        with self._reached():
            return bytes(self._files.cat_file(self._at(path)))

    def open(self, path: str) -> BinaryIO:
        """Return a file, open for reading; it is fetched in blocks of 8 MiB."""
        with self._reached():
            return cast(BinaryIO, self._files.open(self._at(path), "rb", block_size=BLOCK_BYTES))

    def walk(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder."""
        with self._reached():
            found = self._files.find(self._at(folder))
        return sorted(path[len(self._at(folder)) + 1 :] for path in found)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        with self._reached():
            try:
                found = self._files.ls(self._at(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted({path.rstrip("/").rpartition("/")[2] for path in found} - {""})

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file by a conditional put; return whether it was written."""
        with self._reached(writing=True):
            try:
                self._files.pipe_file(self._at(path), data, mode="create")
            except FileExistsError:
                return False
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Write a small file over an older one."""
        with self._reached(writing=True):
            self._files.pipe_file(self._at(path), data)

    def remove(self, path: str) -> bool:
        """Remove a file, or what lies below a folder; versions that the bucket keeps of a file are its own affair."""
        with self._reached():
            try:
                self._files.rm(self._at(path), recursive=True)
            except FileNotFoundError:
                return False
        return True


def _document(content: bytes) -> str:
    return f"{OBJECTS}/{hashlib.sha256(content).hexdigest()}"
