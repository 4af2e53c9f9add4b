"""Which row goes into which file: sorted so that neighbours lie together, and cut where the content says.

A file ends after a row whose key has a certain checksum, so an inserted or removed row moves the borders of the file
that it falls into and of no other: the rest keep their bytes and are shared with the version before.
"""

# ruff: noqa: S608 - names of tables and columns come from closed lists
from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import schema_of
from schemas.records import TABLES
from tasks.releases.database import FILE, ROW
from tasks.releases.relations import GROUPS, KEYS, UNSPLIT

if TYPE_CHECKING:
    import duckdb

MIN_ROWS, MAX_ROWS = 256, 1 << 14
MIB = 1 << 20


@dataclass(frozen=True)
class Portion:
    """The rows of one file: where each lies in the candidate's files, in the order in which they are written."""

    table: str
    split: str
    file_at: np.ndarray
    row_at: np.ndarray


def plan_files(
    connection: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path], shard_mib: int
) -> Iterator[Portion]:
    """Yield the files of a table, split by split.

    Rows are sorted by their group and key. Images keep, within a slide, the order in which tiling wrote them: what is
    seen together lies together, and whole row groups are handed on without a copy.

    Args:
        connection: holds the candidate's tables.
        table: name of the table.
        paths: its files.
        shard_mib: size in MiB that a file of images aims at.

    Determinism: does not depend on the order of rows or on how they lie in files; of images, on their order alone.
    """
    columns = [column for column in schema_of(TABLES[table]) if column.name != "split"]
    key = KEYS.get(table) or tuple(column.name for column in columns)
    within = (FILE, ROW) if any(pa.types.is_binary(column.type) for column in columns) else key
    order = ", ".join(f'"{name}"' for name in dict.fromkeys((GROUPS.get(table, key[0]), *within)))
    rows: pa.Table = connection.sql(
        f"SELECT coalesce(split, '{UNSPLIT}') AS split, {FILE}, {ROW}, {key[0]} AS key FROM {table} "
        f"ORDER BY split IS NULL, split, {order}"
    ).to_arrow_table()
    splits = np.array(rows.column("split").to_pylist(), dtype=np.str_)
    file_at, row_at = (rows.column(name).to_numpy() for name in (FILE, ROW))
    keys = rows.column("key").cast(pa.binary()).to_pylist()
    marks = np.fromiter(map(zlib.crc32, keys), np.uint32, rows.num_rows)
    aim = target_rows(table, paths, shard_mib)
    for begin, end in _runs(splits):
        for start, stop in _cuts(marks[begin:end], aim):
            here = slice(begin + start, begin + stop)
            yield Portion(table, str(splits[begin]), file_at[here], row_at[here])


def target_rows(table: str, paths: Sequence[Path], shard_mib: int) -> int:
    """Return how many rows a file aims at: a power of two, so that a few rows more or less do not change it."""
    images = [column.name for column in schema_of(TABLES[table]) if pa.types.is_binary(column.type)]
    if not images:
        return MAX_ROWS
    rows = size = 0
    for path in paths:
        metadata = pq.read_metadata(path)
        rows += metadata.num_rows
        size += sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    wanted = shard_mib * MIB * rows // max(size, 1)
    return min(MAX_ROWS, max(MIN_ROWS, 1 << max(0, wanted.bit_length() - 1)))


def _runs(values: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    bounds = [0, *edges.tolist(), len(values)]
    yield from ((begin, end) for begin, end in itertools.pairwise(bounds) if end > begin)


def _cuts(marks: np.ndarray, aim: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop): at least aim/2 rows, then up to the first mark that is 0 modulo aim/2, at most 2 aim."""
    ends = np.flatnonzero(marks % (aim // 2) == 0) + 1
    start = 0
    while start < len(marks):
        at = np.searchsorted(ends, start + aim // 2)
        natural = int(ends[at]) if at < len(ends) else len(marks)
        stop = min(natural, start + 2 * aim, len(marks))
        yield start, stop
        start = stop
