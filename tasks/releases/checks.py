"""What the gate checks: one SQL query per check, which returns the rows in breach as `(item, detail)`.

Most stand in `sql/`; those over keys and references are written from the relations of the tables.
"""

# ruff: noqa: S608 - names of tables and columns come from closed lists
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.releases.expectations import breaches_query
from tasks.releases.relations import KEYS, REFERENCES, Reference

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql"
SAMPLE = 5  # rows in breach that a check shows
SCREENING_CHECKS = {"questions_are_screened", "certifier_passed"}
OF_OTHER_VERSIONS = {"patients_keep_their_split", "patients_stay_withdrawn"}


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it asks, how many rows are in breach, and the first few of them."""

    name: str
    asks: str
    passed: bool
    breaches: int
    sample: tuple[tuple[str, str], ...]

    @property
    def detail(self) -> str:
        """Say in one line what is in breach."""
        if self.passed:
            return "holds"
        first = "; ".join(f"{item} {detail}" for item, detail in self.sample[:2])
        more = f" (and {self.breaches - 2} more)" if self.breaches > 2 else ""
        return first + more

    @property
    def failing_ids(self) -> tuple[str, ...]:
        """Return the ids of the first few rows in breach."""
        return tuple(item for item, _ in self.sample)


def check_queries(*, screening: bool) -> Iterator[tuple[str, str]]:
    """Yield name and query of every check; those of text-only screening only where it is asked for."""
    yield "keys_are_unique", _keys_query()
    yield "references_resolve", _references_query()
    yield "columns_hold_what_they_may", breaches_query()
    for path in sorted(SQL.glob("*.sql")):
        if screening or path.stem not in SCREENING_CHECKS:
            yield path.stem, path.read_text()


def _keys_query() -> str:
    parts = []
    for table, key in KEYS.items():
        value = " || ' / ' || ".join(f"coalesce({column}::VARCHAR, '')" for column in key)
        empty = f"bool_or({key[0]} IS NULL OR {key[0]} = '')"
        parts.append(
            f"SELECT {value} AS item, CASE WHEN {empty} THEN 'is an empty key of {table}'"
            f" ELSE 'stands ' || count(*) || ' times in {table}' END AS detail"
            f" FROM {table} GROUP BY {', '.join(key)} HAVING count(*) > 1 OR {empty}"
        )
    return "-- Keys are unique and not empty.\n" + "\nUNION ALL\n".join(parts)


def _references_query() -> str:
    parts = [_reference_query(reference) for reference in REFERENCES]
    return "-- Every id that a row refers to is there.\n" + "\nUNION ALL\n".join(parts)


def _reference_query(reference: Reference) -> str:
    table, column = reference.table, reference.column
    known = [f"SELECT {KEYS[target][0]} FROM {target}" for target in reference.targets]
    known += ["SELECT item_id FROM rejections"] if reference.or_rejected else []
    where = "".join(f" AND {column} NOT IN ({ids})" for ids in known)
    return (
        f"SELECT {KEYS[table][0]}::VARCHAR AS item, '({table}) refers by {column} to ' || {column} || "
        f"', which is not in {' or '.join(reference.targets)}' AS detail FROM {table} WHERE {column} IS NOT NULL{where}"
    )


def run_check(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> Check:
    """Run one query and return what it found."""
    asks = query.splitlines()[0].removeprefix("--").strip()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE breaches AS {query}")
    breaches = count_rows(connection, "breaches")
    sample = connection.execute(f"SELECT item, detail FROM breaches ORDER BY ALL LIMIT {SAMPLE}").fetchall()
    return Check(name, asks, breaches == 0, breaches, tuple((str(item), str(detail)) for item, detail in sample))


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the number of rows of a table."""
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
