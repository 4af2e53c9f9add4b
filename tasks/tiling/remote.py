"""Slides behind urls: a store that does not answer is waited for, and is never taken for a broken slide."""

from __future__ import annotations

import hashlib
import importlib
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import StoreError
from schemas.ids import canonical_json
from tasks.digests import remembered_under

PATIENCE_S = 120.0  # then the run ends, and a rerun goes on
LIBRARY_FAULTS = (
    OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, AttributeError, ZeroDivisionError, struct.error,
)  # fmt: skip
"""What the libraries under tiffslide (tifffile, zarr, imagecodecs, fsspec) raise for bytes that they cannot use."""

_TRIES = 5  # of one action that the store cuts short although it answers in between
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_BLOCK_BYTES = 1 << 22
_VERSIONS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated", "md5Hash", "generation")
_CLIENT_FAULTS = (
    ("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("aiohttp", "ClientError"),
)  # fmt: skip
_OF_THIS_MACHINE = frozenset({
    "arrow_hdfs", "async_wrapper", "asynclocal", "asyncwrapper", "blockcache", "cached", "dask", "dir", "dvc", "file",
    "filecache", "generic", "git", "libarchive", "local", "reference", "simplecache", "tar", "zip",
})  # fmt: skip
"""Protocols of fsspec that read, or can be told to read, files of the machine that they run on."""
Result = TypeVar("Result")


def leaves_the_network(url: str) -> bool:
    """Return whether a url could lead to a file of this machine: by its protocol, or by others chained to it."""
    protocol = url.partition("://")[0].lower()
    return "::" in url or len(protocol) < 2 or protocol in _OF_THIS_MACHINE  # fsspec takes `c://` for a drive


def _client_faults() -> tuple[type[Exception], ...]:
    """Return what is raised where a call to a store fails, by the clients that are installed."""
    found: list[type[Exception]] = [ConnectionError, TimeoutError]
    for module, name in _CLIENT_FAULTS:
        try:
            found.append(getattr(importlib.import_module(module), name))
        except ImportError:
            continue
    return tuple(found)


def patiently(url: str, action: Callable[[], Result]) -> Result:
    """Do something with a remote slide, again where its store did not answer or cut it short.

    Where the store answers and the action fails twice in the libraries that read the slide, the fault is the slide's,
    and is raised as it came.

    Raises:
        FileNotFoundError: the store says that there is no such slide.
        StoreError: the store does not answer for two minutes, it refuses, or it fails time and again.
    """
    client = _client_faults()
    faults: tuple[type[Exception], ...] = (*LIBRARY_FAULTS, *client)
    tried = 0
    while True:
        try:
            return action()
        except FileNotFoundError:
            raise
        except faults as error:
            _wait_for(url, (OSError, *client))
            tried += 1
            cut_short = _has_cause(error, client)
            if tried > 1 and not cut_short:
                raise
            if tried == _TRIES:
                raise StoreError(
                    f"the store of {url} fails {_TRIES} times in a row: {type(error).__name__}: {error}",
                    remedy="see to the store, then run again; what is done is kept",
                ) from error
        _pause(_FIRST_PAUSE_S * 2**tried)


def _has_cause(error: BaseException | None, kinds: tuple[type[Exception], ...]) -> bool:
    """Return whether an error is of some kinds, or was raised because of one: clients translate their own."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error is not None


def _pause(longest_s: float) -> None:
    time.sleep(longest_s * random.uniform(0.5, 1.0))  # so that many do not ask at once


def _wait_for(url: str, silence: tuple[type[Exception], ...]) -> None:
    limit, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
    while True:
        try:
            information(url)
        except FileNotFoundError:
            raise
        except silence as error:
            refused = isinstance(error, PermissionError) or "Credentials" in type(error).__name__
            if refused or time.monotonic() > limit:
                raise StoreError(
                    f"the store of {url} does not answer: {type(error).__name__}: {error}",
                    remedy="check address, credentials and network, then run again; what is done is kept",
                ) from error
            _pause(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        else:
            return


def information(url: str) -> dict[str, Any]:
    """Return what the store says of a slide now: size, version."""
    import fsspec

    files, path = fsspec.core.url_to_fs(url)
    files.invalidate_cache()
    return dict(files.info(path))


def remote_state(url: str) -> tuple[int, str]:
    """Return the size in bytes of a remote slide, and the version that its store gives it: empty where it gives none.

    Raises:
        FileNotFoundError: there is no such slide.
        StoreError: the store does not answer.
    """
    known = patiently(url, lambda: information(url))
    version = {name: str(known[name]) for name in _VERSIONS if known.get(name)}
    return int(known.get("size") or 0), canonical_json(version) if version else ""


def remote_sha256(url: str, state: tuple[int, str], cache: Path | None) -> str:
    """Return the SHA-256 of a remote slide.

    The digest is remembered under size and version, so that a rerun does not read the slide again; where the store
    gives no version, the slide is read every time.

    Raises:
        FileNotFoundError: there is no such slide.
        StoreError: the store does not answer.
    """
    return remembered_under([url, *state], cache if state[1] else None, lambda: patiently(url, lambda: _sha256(url)))


def _sha256(url: str) -> str:
    import fsspec

    hasher = hashlib.sha256()
    with fsspec.open(url, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            hasher.update(block)
    return hasher.hexdigest()
