"""Digests of files, remembered on disk so that a rerun does not read terabytes of slides again."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from schemas.ids import digest, file_sha256

_SETTLED_NS = 100_000_000  # a clock's tick is at most 10 ms: a younger file may change again under the same stamp


def remembered_sha256(path: Path, cache: Path | None) -> str:
    """Return the SHA-256 (hex) of a file's bytes, from the cache where the file is untouched since.

    Raises:
        OSError: the file cannot be read.
    """
    return remembered([path], cache, lambda: file_sha256(path))


def remembered(files: Sequence[Path], cache: Path | None, compute: Callable[[], str]) -> str:
    """Return a digest of files, computed only where no untouched earlier one is in the cache.

    A file counts as untouched while its path, inode, size, modification time and change time are the same. The change
    time is the kernel's own: an edit that keeps the size and sets the modification time back is still seen.

    Args:
        files: what the digest depends on.
        cache: folder to remember in; None computes always.
        compute: gives the digest.

    Raises:
        OSError: a file cannot be read.
    """
    if cache is None:
        return compute()
    states = [file.stat() for file in files]
    stamps = [
        (str(file), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        for file, state in zip(files, states, strict=True)
    ]
    started = time.time_ns()
    settled = all(state.st_ctime_ns < started - _SETTLED_NS for state in states)
    return remembered_under(stamps, cache if settled else None, compute)


def remembered_under(stamp: Any, cache: Path | None, compute: Callable[[], str]) -> str:
    """Return a digest, computed only where none is remembered under the same stamp (plain data)."""
    if cache is None:
        return compute()
    entry = cache / f"{digest(stamp)[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(entry.read_text())["sha256"])
    result = compute()
    with contextlib.suppress(OSError):  # what cannot be remembered is computed again
        _write(entry, result)
    return result


def _write(entry: Path, sha256: str) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=entry.parent)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"sha256": sha256}, stream)
    Path(name).replace(entry)
