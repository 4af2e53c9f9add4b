"""The candidate's tables in DuckDB, without their images: what the gate asks and what the file plan is made from."""

# ruff: noqa: S608 - names of tables and columns come from closed lists; values are always bound
from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from schemas.arrow import schema_of
from schemas.ids import ID_HEX
from schemas.records import TABLES
from tasks.releases.candidate import Candidate
from tasks.releases.relations import KEYS, LINKS, OWNERS, REFERENCES

if TYPE_CHECKING:
    import duckdb

MEMORY = "512MB"  # tables that are larger than this spill to the temporary folder
FILE, ROW = "file_at", "row_at"
CONTENT_ID = f"[a-z]+_[0-9a-f]{{{ID_HEX}}}"


@contextmanager
def open_database(candidate: Candidate, spill: Path, workers: int = 2) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that holds every table of a candidate, less the image bytes.

    Each table has `file_at` and `row_at` (where the row lies in `candidate.tables`), `owner` (its patient, or
    null) and `split` (null where there is no patient). The table `patients` holds `patient_id, split`.

    Args:
        candidate: whose tables are read.
        spill: folder for what does not fit in memory.
        workers: threads.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
        "threads": workers,
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        splits = candidate.split_of_patient
        given = {"p": pa.array(splits.keys(), pa.string()), "s": pa.array(splits.values(), pa.string())}
        connection.register("given", pa.table(given))
        connection.execute("CREATE TABLE patients AS SELECT p AS patient_id, s AS split FROM given")
        for name in TABLES:
            _load(connection, name, candidate)
        for name in sorted(TABLES, key=lambda name: name != "rejections"):  # they lead on to whom a verdict is about
            _own(connection, name)
        yield connection


def _load(connection: duckdb.DuckDBPyConnection, name: str, candidate: Candidate) -> None:
    columns = [column.name for column in schema_of(TABLES[name]) if not pa.types.is_binary(column.type)]
    paths = [str(path) for path in candidate.tables.get(name, ())]
    if not paths:
        empty = schema_of(TABLES[name]).empty_table().select(columns)
        connection.register("empty", _rename_split(empty))
        connection.execute(f"CREATE TABLE raw_{name} AS SELECT *, 0::INTEGER AS {FILE}, 0::BIGINT AS {ROW} FROM empty")
        return
    chosen = ", ".join("split AS given_split" if column == "split" else f'"{column}"' for column in columns)
    connection.register("files", pa.table({"filename": paths, FILE: pa.array(range(len(paths)), pa.int32())}))
    connection.execute(
        f"CREATE TABLE raw_{name} AS SELECT {chosen}, {FILE}, file_row_number AS {ROW} "
        "FROM read_parquet(?, filename = true, file_row_number = true) JOIN files USING (filename)",
        [paths],
    )


def _rename_split(table: pa.Table) -> pa.Table:
    return table.rename_columns(["given_split" if name == "split" else name for name in table.column_names])


def _own(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    if name in OWNERS:
        source = f"SELECT t.*, t.{OWNERS[name]} AS owner FROM raw_{name} t"
    elif name == "rejections":
        source = _owned_rejections(connection)
    else:
        column, targets = LINKS[name]
        ways = _ways(targets)
        if any(reference.or_rejected for reference in REFERENCES if reference.table == name):
            ways += " UNION SELECT item_id, owner FROM rejections WHERE owner IS NOT NULL"
        owners = f"SELECT id, min(owner) AS owner FROM ({ways}) GROUP BY id"
        source = f"SELECT t.*, o.owner FROM raw_{name} t LEFT JOIN ({owners}) o ON o.id = t.{column}"
    connection.execute(
        f"CREATE TABLE {name} AS SELECT s.*, p.split FROM ({source}) s LEFT JOIN patients p ON p.patient_id = s.owner"
    )


def _ways(targets: Iterable[str]) -> str:
    return " UNION ".join(f"SELECT {KEYS[t][0]} AS id, {OWNERS[t]} AS owner FROM raw_{t}" for t in targets)


def _owned_rejections(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the query of rejections with their owners, and make the table `owned` that it looks in.

    What is rejected stands in no table: its row belongs to whom the item belongs, else to whom the id in the item's
    name or, failing that, in the detail belongs. Tiling rejects tiles and slides by name too.
    """
    connection.execute(
        f"CREATE TABLE owned AS SELECT id, min(owner) AS owner FROM ({_ways(LINKS['rejections'][1])}"
        " UNION SELECT tile_id, patient_id FROM raw_tiles JOIN raw_slides USING (slide_id)"
        " UNION SELECT name, patient_id FROM raw_slides) GROUP BY id"
    )
    return (
        "SELECT t.*, coalesce(o.owner, i.owner, d.owner) AS owner FROM raw_rejections t"
        " LEFT JOIN owned o ON o.id = t.item_id"
        f" LEFT JOIN owned i ON i.id = regexp_extract(t.item_id, '{CONTENT_ID}')"
        f" LEFT JOIN owned d ON d.id = regexp_extract(t.detail, '{CONTENT_ID}')"
    )
