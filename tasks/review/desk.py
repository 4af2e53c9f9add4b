"""The desk: one SQLite file with what annotators are shown, who they are, and what they said.

Items, tiles and slides are put there when the queue is opened, so that the page needs neither the store nor the plan of
a run. Events are only ever appended; triggers refuse anything else. `standings` is what follows from the events, kept
in the same transaction; it could be made again from them at any time.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from schemas.records import Slide, Tile
from tasks.review.items import ReviewItem

DESK = "desk.sqlite"
_VERSION = 1
_BUSY_S = 30.0
# Threads of one process take turns here; in SQLite they would poll, and some would wait for long.
_TURN = threading.Lock()
_SCHEMA = (Path(__file__).parent / "desk.sql").read_text(encoding="utf-8")
_TILE = ["tile_id", "field_id", "scale", "mpp", "x_px0", "y_px0", "box_width_px0", "box_height_px0"]
_TILE += ["width_px", "height_px", "image"]
# The choices of an item that is about others too, as a reasoning sample's diagnoses, change where these come or go.
_CONTENT = (
    "CASE WHEN json_extract(content, '$.options') != json_extract(excluded.content, '$.options')"
    " AND EXISTS (SELECT 1 FROM standings s WHERE s.item_id = items.item_id) THEN json_set(excluded.content,"
    " '$.options', json(json_extract(content, '$.options')), '$.key', json_extract(content, '$.key'))"
    " ELSE excluded.content END"
)
_SLIDE = ["slide_id", "name", "uri", "width_px0", "height_px0", "mpp_x", "mpp_y"]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    # FULL: an event that was acknowledged survives a power cut, not only a killed process.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # images that go leave no bytes behind
    return connection


@contextmanager
def make_desk(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a desk, made first where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = _connect(path)
    try:
        _lay_out(connection)
        yield connection
    finally:
        connection.close()


def _lay_out(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none; of two runs at the same moment the second waits and finds them made."""
    limit = time.monotonic() + _BUSY_S
    while _is_blank(connection):
        try:
            connection.execute("PRAGMA journal_mode=WAL")  # does not wait where another is about to do the same
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
        except sqlite3.OperationalError as error:
            connection.rollback()
            waits = error.sqlite_errorcode == sqlite3.SQLITE_BUSY and time.monotonic() < limit
            if _is_blank(connection) and not waits:
                raise
            time.sleep(0.02)


def _is_blank(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == 0)


def connect_desk(path: Path) -> sqlite3.Connection:
    """Return a connection of one's own to a desk; whoever takes it closes it.

    Raises:
        InputError: there is no desk, or another version of Slidesmith made it.
    """
    if not path.is_file():
        raise InputError(
            f"there is no {path.name} in {path.parent.name}/", remedy="run the curation up to review first"
        )
    connection = _connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        connection.close()
        raise InputError(f"{path.name} has version {version}", remedy=f"this Slidesmith reads version {_VERSION}")
    return connection


@contextmanager
def open_desk(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection of one's own to a desk.

    Raises:
        InputError: as `connect_desk`.
    """
    with closing(connect_desk(path)) as connection:
        yield connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the desk's one write lock for a block: all of it happens, or nothing."""
    with _TURN:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: str, columns: Sequence[str], row: Any) -> None:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    values = [getattr(row, column) for column in columns]
    connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608 - constants


def held_tiles(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the ids of the tiles that the desk holds, by field."""
    held: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute("SELECT field_id, tile_id FROM tiles"):
        held[row["field_id"]].add(row["tile_id"])
    return held


def fill_tiles(connection: sqlite3.Connection, slides: Iterable[tuple[Slide, Sequence[Tile]]]) -> None:
    """Put slides and whole fields on the desk; a field's former tiles go."""
    for slide, tiles in slides:
        with writing(connection):
            _insert(connection, "slides", _SLIDE, slide)
            former = [(field_id,) for field_id in {tile.field_id for tile in tiles}]
            connection.executemany("DELETE FROM tiles WHERE field_id = ?", former)
            for tile in tiles:
                _insert(connection, "tiles", _TILE, tile)


def fill_items(connection: sqlite3.Connection, items: Sequence[ReviewItem]) -> None:
    """Put the queue on the desk; items that left it are closed and their images go, their events stay.

    An item that somebody has answered goes on showing the options that the answer names.
    """
    with writing(connection):
        connection.execute("UPDATE items SET open = 0")
        connection.executemany(
            "INSERT INTO items (item_id, public_id, kind, dimension, slide_id, field_id, patient_id, place, readers,"  # noqa: S608
            " flagged, content, open) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (item_id) DO UPDATE SET place = excluded.place, readers = excluded.readers,"
            f" flagged = excluded.flagged, content = {_CONTENT}, open = 1",
            [_row(place, item) for place, item in enumerate(items)],
        )
        for table, column in (("tiles", "field_id"), ("slides", "slide_id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {column} FROM items WHERE open)")  # noqa: S608
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nor are they left in SQLite's own log


def _row(place: int, item: ReviewItem) -> tuple[Any, ...]:
    flagged = any(reason["reader"] != "audit" for reason in item.reasons)
    head = (item.item_id, item.public_id, item.kind, item.dimension, item.slide_id, item.field_id, item.patient_id)
    return (*head, place, item.readers, flagged, item.to_json())
