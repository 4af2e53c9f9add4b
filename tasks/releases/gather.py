"""Rows out of many Parquet files, by position, with a few row groups in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.releases.layout import Portion

KEPT_BYTES = 32 << 20


class Gatherer:
    """Reads the rows of portions; row groups stay in memory while there is room for them."""

    def __init__(self, paths: Sequence[Path], schema: pa.Schema) -> None:
        self._paths = paths
        self._schema = schema
        self._open: OrderedDict[int, tuple[pq.ParquetFile, np.ndarray]] = OrderedDict()
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._held = 0

    def __enter__(self) -> Gatherer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file, _ in self._open.values():
            file.close()

    def rows(self, portion: Portion) -> pa.Table:
        """Return the rows of a portion in its order, with the columns of the table."""
        places = np.empty(len(portion.file_at), np.int64)  # position of each row among the parts read
        parts, read = [], 0
        for file_at in np.unique(portion.file_at):
            mine = np.flatnonzero(portion.file_at == file_at)
            starts = self._file(int(file_at))[1]
            group_of = np.searchsorted(starts, portion.row_at[mine], "right") - 1
            for group in np.unique(group_of):
                chosen = mine[group_of == group]
                parts.append(_chosen(self._group(int(file_at), int(group)), portion.row_at[chosen] - starts[group]))
                places[chosen] = np.arange(read, read + len(chosen))
                read += len(chosen)
        table = pa.concat_tables(parts)
        return table if np.array_equal(places, np.arange(read)) else table.combine_chunks().take(places)

    def _file(self, at: int) -> tuple[pq.ParquetFile, np.ndarray]:
        if at not in self._open:
            file = pq.ParquetFile(self._paths[at])
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            self._open[at] = file, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
            if len(self._open) > 64:
                self._open.popitem(last=False)[1][0].close()
        return self._open[at]

    def _group(self, file_at: int, group: int) -> pa.Table:
        key = file_at, group
        if key in self._groups:
            self._groups.move_to_end(key)
            return self._groups[key]
        file = self._file(file_at)[0]
        table = file.read_row_group(group, columns=self._schema.names, use_threads=False)
        self._groups[key] = table.select(self._schema.names).cast(self._schema)
        self._held += table.nbytes
        while self._held > KEPT_BYTES and len(self._groups) > 1:
            self._held -= self._groups.popitem(last=False)[1].nbytes
        return self._groups[key]


def _chosen(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return some rows of a table, without a copy where they lie side by side."""
    if np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return table.slice(rows[0], len(rows))
    return table.take(rows)
