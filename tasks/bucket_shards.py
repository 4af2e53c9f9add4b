"""Shards in a bucket (`s3://`), shared by machines: a folder on each machine holds what was made or needed there.

A shard's files are uploaded first and its summary last, so a shard that can be found is whole. A file is fetched when
it is asked for and compared with the digest in the summary: finding out that a slide is tiled costs one small request,
not its tiles.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import MissingExtraError, StoreError
from schemas.ids import file_sha256
from tasks.store import SUMMARY, Shard, ShardInfo, ShardStore

PATIENCE_S = 120.0  # for a service that does not answer; then the run ends, and a rerun goes on

Result = TypeVar("Result")


class Bucket:
    """One prefix of a bucket; credentials and endpoint come from the environment as for every S3 client."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")

    def __reduce__(self) -> tuple[type[Bucket], tuple[str]]:
        return Bucket, (self.uri,)  # a connection does not travel to other processes

    @functools.cached_property
    def _files(self) -> Any:
        import fsspec

        return fsspec.core.url_to_fs(self.uri, use_listings_cache=False, skip_instance_cache=True)[0]

    def read(self, path: str) -> bytes | None:
        """Return a small file's bytes, or None where there is none."""
        try:
            return bytes(self._patiently(lambda files: files.cat_file(self._at(path))))
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Write a small file."""
        self._put(lambda files: files.pipe_file(self._at(path), data))

    def upload(self, source: Path, path: str) -> None:
        """Upload a file."""
        self._put(lambda files: files.put_file(str(source), self._at(path)))

    def download(self, path: str, place: Path) -> None:
        """Download a file.

        Raises:
            StoreError: it is not there.
        """
        try:
            self._patiently(lambda files: files.get_file(self._at(path), str(place)))
        except FileNotFoundError as error:
            raise StoreError(f"{self.uri}/{path} is missing", remedy="delete its shard there and run again") from error

    def _put(self, action: Callable[[Any], None]) -> None:
        try:
            self._patiently(action)
        except FileNotFoundError as error:
            raise StoreError(f"{self.uri}: there is no such bucket", remedy="create it, or correct `shards`") from error

    def _at(self, path: str) -> str:
        return f"{self.uri}/{path}"

    def _patiently(self, action: Callable[[Any], Result]) -> Result:
        """Do something with the bucket, again and again while the service does not answer.

        Raises:
            FileNotFoundError: what is asked for is not there.
            StoreError: the service refuses, or did not answer for two minutes.
        """
        import tenacity
        from botocore.exceptions import BotoCoreError, ClientError

        troubles = (OSError, BotoCoreError, ClientError, TimeoutError)
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_delay(PATIENCE_S),
            wait=tenacity.wait_random_exponential(max=10),
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, troubles) and not _final(error)),
            reraise=True,
        )
        try:
            return attempts(lambda: action(self._files))
        except FileNotFoundError:
            raise
        except troubles as error:
            problem = f"{self.uri} cannot be used: {type(error).__name__}: {error}"
            raise StoreError(problem, remedy="check address, credentials and network, then run again") from error


def _final(error: BaseException) -> bool:
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    refusals = (FileNotFoundError, PermissionError, NoCredentialsError, PartialCredentialsError)
    return isinstance(error, refusals)


@dataclass(frozen=True)
class _Origin:
    bucket: Bucket
    shard: str

    def fetch(self, name: str, sha256: str, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{name}.", dir=place.parent)
        os.close(descriptor)
        try:
            self.bucket.download(f"{self.shard}/{name}", Path(partial))
            if file_sha256(Path(partial)) != sha256:
                raise StoreError(
                    f"{self.bucket.uri}/{self.shard}/{name} is not what its summary says",
                    remedy="delete that shard in the bucket and run again",
                )
            Path(partial).replace(place)
        finally:
            Path(partial).unlink(missing_ok=True)


class BucketShardStore(ShardStore):
    """The shard store of machines that share a bucket.

    Args:
        root: folder of this machine for what is made or fetched; may be emptied while nothing runs.
        uri: `s3://bucket/prefix`.

    Raises:
        MissingExtraError: s3fs is not installed.
    """

    def __init__(self, root: Path, uri: str) -> None:
        super().__init__(root)
        try:
            for module in ("s3fs", "tenacity"):
                importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError(
                f"shards at {uri} need {error.name}, which is not installed",
                remedy="pip install -e '.[scale]' in the checkout",
            ) from error
        self.bucket = Bucket(uri)

    def find(self, stage: str, key: str) -> Shard | None:
        """Return the shard, or None while its work is not done on any machine."""
        origin = _Origin(self.bucket, f"{stage}/{key}")
        if here := super().find(stage, key):
            return Shard(self.root / stage / key, here.info, origin)
        summary = self.bucket.read(f"{stage}/{key}/{SUMMARY}")
        if summary is None:
            return None
        try:
            info = ShardInfo(**json.loads(summary))
        except (ValueError, TypeError) as error:
            where = f"{self.bucket.uri}/{stage}/{key}/{SUMMARY}"
            raise StoreError(f"{where} is torn", remedy="delete that shard in the bucket and run again") from error
        return Shard(self.root / stage / key, info, origin)

    def _publish(self, folder: Path, stage: str, key: str) -> None:
        for path in sorted(folder.iterdir()):
            if path.name != SUMMARY:
                self.bucket.upload(path, f"{stage}/{key}/{path.name}")
        self.bucket.write(f"{stage}/{key}/{SUMMARY}", (folder / SUMMARY).read_bytes())
        super()._publish(folder, stage, key)
