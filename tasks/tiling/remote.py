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
from tasks.digests import remembered_under

PATIENCE_S = 120.0  # then the run ends, and a rerun goes on
LIBRARY_FAULTS = (
    OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, AttributeError, ZeroDivisionError, struct.error,
)  # fmt: skip
"""What the libraries under tiffslide (tifffile, zarr, imagecodecs, fsspec) raise for bytes that they cannot use."""

_BLOCK_BYTES = 1 << 22
_VERSIONS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated", "md5Hash", "generation")
_CLIENT_FAULTS = (
    ("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("aiohttp", "ClientError"),
)  # fmt: skip
Result = TypeVar("Result")


def _silence() -> tuple[type[Exception], ...]:
    """Return what is raised where a store does not answer, by the clients that are installed."""
    found: list[type[Exception]] = [OSError]
    for module, name in _CLIENT_FAULTS:
        try:
            found.append(getattr(importlib.import_module(module), name))
        except ImportError:
            continue
    return tuple(found)


def patiently(url: str, action: Callable[[], Result]) -> Result:
    """Do something with a remote slide, again where its store did not answer in between.

    Where the store answers and the action fails all the same, the fault is the slide's, and is raised as it came.

    Raises:
        FileNotFoundError: the store says that there is no such slide.
        StoreError: the store does not answer for two minutes, or it refuses.
    """
    silence = _silence()
    faults: tuple[type[Exception], ...] = (*LIBRARY_FAULTS, *silence)
    try:
        return action()
    except FileNotFoundError:
        raise
    except faults:
        _wait_for(url, silence)
    return action()


def _wait_for(url: str, silence: tuple[type[Exception], ...]) -> None:
    limit, pause_s = time.monotonic() + PATIENCE_S, 0.1
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
            time.sleep(pause_s * random.uniform(0.5, 1.0))  # so that many do not ask at once
            pause_s = min(pause_s * 2, 10.0)
        else:
            return


def information(url: str) -> dict[str, Any]:
    """Return what the store says of a slide now: size, version."""
    import fsspec

    files, path = fsspec.core.url_to_fs(url)
    files.invalidate_cache()
    return dict(files.info(path))


def remote_sha256(url: str, cache: Path | None) -> tuple[str, int]:
    """Return SHA-256 and size in bytes of a remote slide.

    The digest is remembered under the version that the store gives, so that a rerun does not read the slide again;
    where it gives none, the slide is read every time.

    Raises:
        FileNotFoundError: there is no such slide.
        StoreError: the store does not answer.
    """
    known = patiently(url, lambda: information(url))
    version = {name: str(known[name]) for name in _VERSIONS if known.get(name)}
    size = int(known.get("size") or 0)
    sha256 = remembered_under(
        [url, size, version], cache if version else None, lambda: patiently(url, lambda: _sha256(url))
    )
    return sha256, size


def _sha256(url: str) -> str:
    import fsspec

    hasher = hashlib.sha256()
    with fsspec.open(url, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            hasher.update(block)
    return hasher.hexdigest()
