"""Rows of a release as Arrow tables, from a folder or a bucket; images as their digests, so that all fits in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.migrations import SCHEMA_VERSION, migrated
from tasks.releases.published import published_schema
from tasks.releases.read import Release


def read_rows(release: Release, table: str, columns: list[str] | None = None, but: Collection[str] = ()) -> pa.Table:
    """Return a table's rows; binary columns hold the SHA-256 (hex) of their values.

    Args:
        release: a release.
        table: name of the table.
        columns: columns to read, all if None.
        but: SHA-256 of files to leave out.
    """
    schema = published_schema(table)
    names = columns or schema.names
    kinds = [
        (name, pa.string() if pa.types.is_binary(schema.field(name).type) else schema.field(name).type)
        for name in names
    ]
    parts = [_digested(part) for part in _groups(release, table, names, but)]
    return pa.concat_tables(parts) if parts else pa.schema(kinds).empty_table()


def _groups(release: Release, table: str, columns: list[str], but: Collection[str]) -> Iterator[pa.Table]:
    for entry in release.tables[table]["files"]:
        if entry["sha256"] in but:
            continue
        with release.open(entry["path"]) as stream, pq.ParquetFile(stream) as file:
            for at in range(file.num_row_groups):
                if release.schema_version == SCHEMA_VERSION:
                    yield file.read_row_group(at, columns=columns)
                else:
                    yield migrated(table, file.read_row_group(at), release.schema_version).select(columns)


def find_rows(release: Release, table: str, column: str, value: str) -> list[dict[str, Any]]:
    """Return the rows of a table that have a value in a column; only the row groups that hold them are read whole."""
    found: list[dict[str, Any]] = []
    for entry in release.tables.get(table, {"files": []})["files"]:
        with release.open(entry["path"]) as stream, pq.ParquetFile(stream) as file:
            for at in range(file.num_row_groups):
                if value in file.read_row_group(at, columns=[column]).column(column).to_pylist():
                    rows = migrated(table, file.read_row_group(at), release.schema_version)
                    found += _digested(rows.filter(pc.equal(rows.column(column), value))).to_pylist()
    return found


def _digested(table: pa.Table) -> pa.Table:
    for at, column in enumerate(table.schema):
        if pa.types.is_binary(column.type):
            digests = [None if v is None else hashlib.sha256(v).hexdigest() for v in table.column(at).to_pylist()]
            table = table.set_column(at, column.name, pa.array(digests, pa.string()))
    return table.replace_schema_metadata(None)
