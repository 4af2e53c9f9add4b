"""Tables become immutable Parquet objects that are named by their SHA-256, written once and shared by versions."""

from __future__ import annotations

import hashlib
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.releases.digests import row_digests, set_digest
from tasks.releases.stores import ReleaseStore
from tasks.store import ROW_GROUP

ROWS_IN_GROUP = 1 << 14  # of tables without images


@dataclass(frozen=True)
class Written:
    """One object of a release: its file, and the digests of its rows."""

    split: str
    sha256: str
    size: int
    rows: int
    digests: np.ndarray
    rows_sha256: str
    reused: bool


Known = Mapping[tuple[str, str], tuple[str, int]]
"""Objects of earlier versions: (digest of rows, digest of columns) -> (SHA-256, bytes)."""


class HashingSink:
    """A file to write that knows the SHA-256 of what went through it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write all of the data."""
        view = memoryview(data)
        self._hash.update(view)
        self.size += len(view)
        while view:
            view = view[self._file.write(view) :]
        return len(data)

    def flush(self) -> None:
        """Do nothing: the file is not buffered."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.closed = True

    def hexdigest(self) -> str:
        """Return the SHA-256 (hex) of what was written."""
        return self._hash.hexdigest()


def write_object(table: pa.Table, path: Path) -> tuple[str, int]:
    """Write a table the way every release file is written; return its SHA-256 and size.

    Row groups hold 256 rows where there are images, which stand uncompressed, without dictionary or statistics
    (JPEG does not compress, and a 20 KB minimum in a footer helps nobody). Byte-identical for equal tables.
    """
    images = [column.name for column in table.schema if pa.types.is_binary(column.type)]
    plain = [name for name in table.column_names if name not in images]
    compression: Any = {name: "NONE" if name in images else "ZSTD" for name in table.column_names} if images else "ZSTD"
    sink = HashingSink(path)
    try:
        pq.write_table(
            table,
            pa.PythonFile(sink, mode="w"),
            row_group_size=ROW_GROUP if images else ROWS_IN_GROUP,
            compression=compression,
            use_dictionary=plain if images else True,
            write_statistics=plain if images else True,
        )
    finally:
        sink.close()
    return sink.hexdigest(), sink.size


@dataclass(frozen=True)
class ObjectWriter:
    """Stores tables of one kind as objects; what an earlier version holds is not written again.

    Args:
        store: where objects go.
        columns_sha256: digest of the tables' columns.
        known: objects of earlier versions.
        workers: files in the making at once; memory holds as many.
    """

    store: ReleaseStore
    columns_sha256: str
    known: Known
    workers: int

    def write(self, tables: Iterable[tuple[str, pa.Table]]) -> Iterator[Written]:
        """Store (split, rows) pairs, several at once, and yield what was written in their order."""
        waiting: deque[Future[Written]] = deque()
        with self.store.scratch() as scratch, ThreadPoolExecutor(self.workers) as pool:
            for split, table in tables:
                waiting.append(pool.submit(self._write_one, split, table, scratch))
                if len(waiting) >= self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _write_one(self, split: str, table: pa.Table, scratch: Path) -> Written:
        digests = row_digests(table)
        rows_sha256 = set_digest([digests])
        found = self.known.get((rows_sha256, self.columns_sha256))
        if found and self.store.has_object(*found):
            return Written(split, found[0], found[1], table.num_rows, digests, rows_sha256, reused=True)
        path = scratch / uuid.uuid4().hex
        sha256, size = write_object(table, path)
        self.store.add_object(path, sha256)
        return Written(split, sha256, size, table.num_rows, digests, rows_sha256, reused=False)
