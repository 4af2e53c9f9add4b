"""The log beside the desk: every event as one line, for the next run, and for whoever has lost the desk."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from pathlib import Path
from typing import BinaryIO

from schemas.errors import ReviewError
from tasks.review.desk import DESK, open_desk
from tasks.review.events import event_line
from tasks.review.journal import events_of

LOG = "decisions.jsonl"
_TAIL_BYTES = 1 << 18


def write_log(connection: sqlite3.Connection, path: Path) -> int:
    """Bring the log of decisions, which the next run reads, up to the desk's last event; return how many were missing.

    Whole lines are never taken back: those that are missing are appended after the last one that is known, and only the
    rest of a line that was torn is cut off before.

    Raises:
        ReviewError: the log holds events that the desk does not, as of another desk or of a newer copy of this one.
    """
    if not path.exists() and not connection.execute("SELECT 1 FROM events LIMIT 1").fetchone():
        return 0
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+b") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        last, torn = _end_of(log)
        after = _number_of(connection, last) if last else 0
        missing = [] if after is None else [event_line(event).encode() for event in events_of(connection, after=after)]
        if after is None or not _may_cut(torn, missing, first=not last):
            raise ReviewError(
                f"{path.name} holds decisions that are not this desk's",
                remedy="bring back the desk that wrote them, or move the file and name it as `decisions` of the run",
            )
        if torn:
            os.ftruncate(descriptor, log.seek(-len(torn), os.SEEK_END))
        log.write(b"".join(missing))
    return len(missing)


def collect_log(folder: Path) -> None:
    """Bring the log beside a desk up to date; a folder without a desk is left alone.

    Raises:
        ReviewError: as `write_log`.
    """
    if (folder / DESK).is_file():
        with open_desk(folder / DESK) as connection:
            write_log(connection, folder / LOG)


def _end_of(log: BinaryIO) -> tuple[bytes, bytes]:
    """Return the last whole line, its end included, and what stands after it; either may be empty."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _TAIL_BYTES))
    tail = log.read()
    if tail.count(b"\n") < 2 and size > _TAIL_BYTES:  # a line that long has more than the usual tail
        log.seek(0)
        tail = log.read()
    whole, end, torn = tail.rpartition(b"\n")
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]  # an editor may have left blank lines
    return last + end if last else b"", torn


def _number_of(connection: sqlite3.Connection, line: bytes) -> int | None:
    """Return the desk's number of the event that is written so; None where it has none."""
    try:
        event_id = json.loads(line)["event_id"]
        row = connection.execute("SELECT number FROM events WHERE event_id = ?", (event_id,)).fetchone()
    except (ValueError, TypeError, KeyError, sqlite3.Error):
        return None
    if row is None:
        return None
    (event, *_) = events_of(connection, after=row["number"] - 1)
    return int(row["number"]) if event_line(event).encode() == line else None


def _may_cut(torn: bytes, missing: list[bytes], *, first: bool) -> bool:
    """Return whether the rest of a line is no decision of its own: it begins the next line, or is no whole object."""
    if not torn or (missing and missing[0].startswith(torn)):
        return True
    try:
        json.loads(torn)
    except ValueError:
        return not first
    return False
