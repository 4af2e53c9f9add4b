"""What changed between two versions: rows by key, columns, reasons, and the readers' results."""

# ruff: noqa: S608 - names of tables and columns come from closed lists
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.records import TABLES
from tasks.releases.manifest_changes import metric_changes, schema_changes, source_changes
from tasks.releases.read import Release
from tasks.releases.relations import KEYS, OWNERS, REFERENCES
from tasks.releases.rows import read_rows

if TYPE_CHECKING:
    import duckdb

SAMPLE = 10  # keys shown of each kind of change
_SINGULAR = {"reasoning": "reasoning sample"}
_FIRST = ("patient_id", "slide_id", "field_id")  # what is named first as the reason of what went with it


@dataclass(frozen=True)
class TableDiff:
    """Changes of one table; `reasons` says why removed rows went: by the newer version's rejections, or with what."""

    added: int
    removed: int
    changed: int
    columns_changed: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    sample: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Diff:
    """Changes from one version to another; `verdicts` are those of `metrics` that a person should read."""

    older: str
    newer: str
    tables: dict[str, TableDiff]
    schema: list[str]
    metrics: list[str]
    verdicts: list[str]
    sources: list[str]

    @property
    def empty(self) -> bool:
        """Return whether nothing changed."""
        return not (self.tables or self.schema or self.metrics or self.sources)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for machines."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return lines for people."""
        lines = [f"{self.older} -> {self.newer}"]
        for name, table in self.tables.items():
            lines.append(f"{name}: {table.added} added, {table.removed} removed, {table.changed} changed")
            lines += [f"  removed as {reason}: {n}" for reason, n in table.reasons.items()]
            lines += [f"  {column} differs in {n}" for column, n in table.columns_changed.items()]
        lines += self.schema + self.verdicts + self.sources
        if quiet := len(self.metrics) - len(self.verdicts):
            lines.append(f"other results of readers that differ, none by a failure: {quiet}; --json names them")
        return lines if len(lines) > 1 else [*lines, "nothing changed"]


def diff(older: Release, newer: Release) -> Diff:
    """Return what changed from one release to another; files that both share are not read.

    Args:
        older: one release.
        newer: another, of the same dataset or not.
    """
    import duckdb

    both = [name for name in TABLES if name in older.tables and name in newer.tables]
    differing = [n for n in both if older.tables[n]["rows_sha256"] != newer.tables[n]["rows_sha256"]]
    with duckdb.connect(":memory:") as connection:
        rejected = read_rows(newer, "rejections", ["item_id", "reason"]) if "rejections" in newer.tables else None
        connection.register(
            "rejected",
            rejected or pa.table({"item_id": pa.array([], pa.string()), "reason": pa.array([], pa.string())}),
        )
        connection.register("gone", _gone(older, newer, both))
        tables = {name: _table_diff(connection, name, older, newer) for name in differing}
    metrics = metric_changes(older.manifest, newer.manifest)
    return Diff(
        older=older.name,
        newer=newer.name,
        tables=tables,
        schema=schema_changes(older.manifest, newer.manifest),
        metrics=[line for line, _ in metrics],
        verdicts=[line for line, tells in metrics if tells],
        sources=source_changes(older.manifest, newer.manifest),
    )


def _table_diff(connection: duckdb.DuckDBPyConnection, name: str, older: Release, newer: Release) -> TableDiff:
    mine, theirs = ({entry["sha256"] for entry in release.tables[name]["files"]} for release in (older, newer))
    old, new = read_rows(older, name, but=mine & theirs), read_rows(newer, name, but=mine & theirs)
    connection.register("old", old)
    connection.register("new", new)
    if name not in KEYS:
        added = _number(connection, "SELECT count(*) FROM (SELECT * FROM new EXCEPT ALL SELECT * FROM old)")
        removed = _number(connection, "SELECT count(*) FROM (SELECT * FROM old EXCEPT ALL SELECT * FROM new)")
        return TableDiff(added, removed, 0)
    key = KEYS[name]
    on = " AND ".join(f'o."{column}" = n."{column}"' for column in key)
    shared = [column for column in old.column_names if column in new.column_names and column not in key]
    differs = {column: f'o."{column}" IS DISTINCT FROM n."{column}"' for column in shared}
    changed = (
        f"SELECT o.{key[0]} AS item, {', '.join(f'{test} AS d{at}' for at, test in enumerate(differs.values()))}"
        f" FROM old o JOIN new n ON {on} WHERE {' OR '.join(differs.values())}"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE changed AS {changed}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE added AS SELECT {key[0]} AS item FROM new n ANTI JOIN old o ON {on}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE removed AS SELECT {key[0]} AS item, {_because(name)} AS because "
        f"FROM old o ANTI JOIN new n ON {on}"
    )
    counts = [_number(connection, f"SELECT count(*) FILTER (d{at}) FROM changed") for at in range(len(differs))]
    reasons = connection.execute(
        "SELECT coalesce(reason, because, 'no reason given'), count(*) FROM removed LEFT JOIN "
        "(SELECT item_id, min(reason) AS reason FROM rejected GROUP BY item_id) r ON r.item_id = item "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return TableDiff(
        added=_number(connection, "SELECT count(*) FROM added"),
        removed=_number(connection, "SELECT count(*) FROM removed"),
        changed=_number(connection, "SELECT count(*) FROM changed"),
        columns_changed={column: n for column, n in zip(differs, counts, strict=True) if n},
        reasons=dict(reasons),
        sample={kind: _sample(connection, kind) for kind in ("added", "removed", "changed")},
    )


def _gone(older: Release, newer: Release, tables: Sequence[str]) -> pa.Table:
    """Return `id` and `reason` of patients and of rows that others refer to, of the older release alone."""
    targets = sorted({target for reference in REFERENCES for target in reference.targets} & set(tables))
    found: dict[str, str] = {}
    for table, column, name in [(table, KEYS[table][0], _SINGULAR.get(table, table[:-1])) for table in targets] + [
        ("slides", "patient_id", "patient")
    ]:
        if table in tables:
            was, now = (set(read_rows(release, table, [column])[column].to_pylist()) for release in (older, newer))
            found.update(dict.fromkeys(was - now, f"its {name} is gone"))
    ids, reasons = list(found), list(found.values())
    return pa.table({"id": pa.array(ids, pa.string()), "reason": pa.array(reasons, pa.string())})


def _because(table: str) -> str:
    """Return the SQL of why a removed row `o` had to go with another: its patient, its slide, its field and so on."""
    owner = [OWNERS[table]] if table in OWNERS else []
    columns = dict.fromkeys(owner + [reference.column for reference in REFERENCES if reference.table == table])
    order = sorted(columns, key=lambda column: _FIRST.index(column) if column in _FIRST else len(_FIRST))
    parts = [f'(SELECT reason FROM gone WHERE id = o."{column}")' for column in order]
    return f"coalesce({', '.join(parts)}, NULL)" if parts else "NULL"


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _sample(connection: duckdb.DuckDBPyConnection, kind: str) -> list[str]:
    return [
        str(item) for (item,) in connection.execute(f"SELECT item FROM {kind} ORDER BY 1 LIMIT {SAMPLE}").fetchall()
    ]
