"""What is written aside before it appears whole: scratch folders that live as long as who makes them, and drafts."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "lock"


@contextmanager
def made_aside(place: Path) -> Iterator[Path]:
    """Yield an empty folder in a hidden one beside a place; what is not renamed to the place by the end goes.

    While it lasts, a lock that dies with the process tells sweepers that the folder is being filled, however long that
    takes: a training writes nothing here before its last minute.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        with (hidden / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = hidden / "made"
            made.mkdir()  # readable as the user's umask has it; the hidden folder is its maker's alone
            yield made
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def draft_of(place: Path) -> Path:
    """Return an unused hidden name beside a file, to write it under before a rename."""
    return place.with_name(f".{place.name}.{uuid.uuid4().hex}")


def settle(*paths: Path) -> None:
    """Wait until files and folders are on the disk.

    A rename can reach the disk before the bytes that it publishes: after a power cut they would be there, torn.
    """
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_stale(paths: Iterable[Path], older_than_s: float) -> int:
    """Remove those of the folders that nobody has changed for so long, nor holds; return how many.

    A folder may vanish at any moment: its owner, or another sweeper, has removed it.
    """
    limit = time.time() - older_than_s
    removed = 0
    for path in paths:
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(state.st_mode) and state.st_mtime < limit and not _held(path):
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def _held(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # of a maker that was killed at once, or that holds no lock
        return False
    except OSError:  # held, or another user's
        return True
    return False
