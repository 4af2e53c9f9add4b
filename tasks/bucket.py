"""One prefix of a bucket (`s3://`): small requests, repeated while the service does not answer."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import StoreError

PATIENCE_S = 120.0  # for a service that does not answer; then the run ends, and a rerun goes on
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

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

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file unless one is there, which may be of an attempt that was not answered; return whether."""
        try:
            self._put(lambda files: files.pipe_file(self._at(path), data, mode="create"))
        except FileExistsError:
            return False
        return True

    def upload(self, source: Path, path: str) -> None:
        """Upload a file."""
        self._put(lambda files: files.put_file(str(source), self._at(path)))

    def download(self, path: str, place: Path) -> None:
        """Download a file; raise FileNotFoundError where there is none."""
        self._patiently(lambda files: files.get_file(self._at(path), str(place)))

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
            FileExistsError: what is created is there.
            OSError: the disk of this machine is full or read-only.
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
        except (FileNotFoundError, FileExistsError):
            raise
        except troubles as error:
            if _of_this_disk(error):
                raise
            problem = f"{self.uri} cannot be used: {type(error).__name__}: {error}"
            raise StoreError(problem, remedy="check address, credentials and network, then run again") from error


def _final(error: BaseException) -> bool:
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    refusals = (FileNotFoundError, FileExistsError, PermissionError, NoCredentialsError, PartialCredentialsError)
    return isinstance(error, refusals) or _of_this_disk(error)


def _of_this_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _DISK
