"""Digests of rows and tables that depend on the cells alone: not on row order, file layout or Parquet's encoding."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import digest

DIGEST_BYTES = 32


def row_digests(table: pa.Table) -> np.ndarray:
    """Return the SHA-256 of every row's cells, as an array of 32-byte strings.

    Every cell becomes a text that no other cell of its type has, and that ends where it says: length and value of a
    string, the bits of a float, the SHA-256 of a binary. Columns are joined in the order of their names, so a row's
    digest does not depend on the order of columns either.

    Shapes:
        result: (rows,) of dtype S32.
    """
    parts = [_column(table.column(name)) for name in sorted(table.column_names)]
    texts = _joined(*parts).cast(pa.large_binary())
    digests = b"".join(hashlib.sha256(text).digest() for text in texts.to_pylist())
    return np.frombuffer(digests, dtype=f"V{DIGEST_BYTES}")


def set_digest(digests: Iterable[np.ndarray]) -> str:
    """Return one SHA-256 (hex) of a multiset of row digests; the order does not matter."""
    parts = list(digests)
    every = np.concatenate(parts) if parts else np.zeros(0, dtype=f"V{DIGEST_BYTES}")
    rows = np.ascontiguousarray(every).view(np.uint8).reshape(-1, DIGEST_BYTES)
    return hashlib.sha256(rows[np.lexsort(rows.T[::-1])].tobytes()).hexdigest()


def schema_digest(schema: pa.Schema) -> str:
    """Return one SHA-256 (hex) of the names and types of the columns."""
    return digest(sorted((column.name, str(column.type)) for column in schema))


def fingerprint(tables: Mapping[str, Mapping[str, Any]], lexicon_sha256: str | None) -> str:
    """Return the fingerprint of a release: of its tables' names, columns and rows, and of its lexicon.

    Args:
        tables: per table `{"columns_sha256": ..., "rows_sha256": ...}`.
        lexicon_sha256: digest of the lexicon file, or None.
    """
    named = sorted((name, table["columns_sha256"], table["rows_sha256"]) for name, table in tables.items())
    return digest("slidesmith release", named, lexicon_sha256)


def _joined(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, pa.scalar("", pa.large_string()))


def _constant(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())


def _column(column: pa.ChunkedArray) -> pa.Array:
    """Return one text per cell of a column, images chunk by chunk so that they are not copied together."""
    if pa.types.is_binary(column.type):
        return pa.chunked_array([_cells(chunk) for chunk in column.chunks], pa.large_string()).combine_chunks()
    return _cells(column.combine_chunks())


def _cells(cells: pa.Array) -> pa.Array:
    """Return one text per cell that says its value and where it ends; null is `~`."""
    kind = cells.type
    if pa.types.is_struct(kind):
        children = [cells.flatten()[at] for at in _by_name(kind)]
        texts = _joined(_constant("("), *(_cells(child) for child in children))
    elif pa.types.is_list(kind):
        texts = _list_cells(cells)
    elif pa.types.is_binary(kind):
        texts = pa.array(_binary_digests(cells), pa.large_string())
    elif pa.types.is_string(kind):
        size = pc.binary_length(cells).cast(pa.large_string())
        texts = _joined(size, _constant(":"), cells.cast(pa.large_string()))
    else:
        whole = cells.view(pa.int64()) if pa.types.is_float64(kind) else cells
        texts = _joined(whole.cast(pa.large_string()), _constant(";"))
    return pc.if_else(cells.is_valid(), texts, _constant("~"))


def _binary_digests(cells: pa.Array) -> list[str | None]:
    """Return the SHA-256 (hex) of each value, read where it lies: images are most of a release and are not copied."""
    _, offsets, values = cells.buffers()
    width = np.int64 if pa.types.is_large_binary(cells.type) else np.int32
    ends = np.frombuffer(offsets, width, len(cells) + 1, cells.offset * np.dtype(width).itemsize).tolist()
    held = memoryview(values or b"")
    valid = cells.is_valid().to_pylist()
    return [
        hashlib.sha256(held[start:end]).hexdigest() if there else None
        for there, (start, end) in zip(valid, itertools.pairwise(ends), strict=True)
    ]


def _list_cells(cells: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(cells), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths.to_numpy(zero_copy_only=False))]).astype(np.int64)
    items = pa.LargeListArray.from_arrays(pa.array(offsets), _cells(cells.flatten()))
    return _joined(lengths.cast(pa.large_string()), _constant("["), pc.binary_join(items, _constant("")))


def _by_name(kind: pa.StructType) -> list[int]:
    return sorted(range(kind.num_fields), key=lambda at: kind.field(at).name)
