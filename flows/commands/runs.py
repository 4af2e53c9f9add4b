"""`slidesmith runs`: what earlier runs did, and SQL over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.commands.options import json_option, say

if TYPE_CHECKING:
    import pyarrow as pa

Table = tuple[dict[str, str], list[dict[str, Any]]]
_RUN = {
    "run_id": "VARCHAR",
    "started_at": "TIMESTAMPTZ",
    "status": "VARCHAR",
    "wall_s": "DOUBLE",
    "dataset": "VARCHAR",
    "version": "VARCHAR",
    "calls": "BIGINT",
    "tokens": "BIGINT",
    "cost": "DOUBLE",
    "problem": "VARCHAR",
    "config_sha256": "VARCHAR",
    "code_version": "VARCHAR",
}
_STAGE = {
    "run_id": "VARCHAR",
    "stage": "VARCHAR",
    "made": "BIGINT",
    "found": "BIGINT",
    "missing": "BIGINT",
    "items_in": "BIGINT",
    "items_out": "BIGINT",
    "rejected": "BIGINT",
    "work_s": "DOUBLE",
}
_LOG = {"run_id": "VARCHAR", "logged_at": "TIMESTAMPTZ", "level": "VARCHAR", "logger": "VARCHAR", "message": "VARCHAR"}
_LATEST = """
SELECT r.run_id AS run, r.status, r.wall_s, sum(s.made)::BIGINT AS made, sum(s.found)::BIGINT AS found,
       sum(s.rejected)::BIGINT AS rejected, r.calls, r.cost, r.problem
FROM runs r LEFT JOIN stages s USING (run_id)
GROUP BY ALL ORDER BY run DESC LIMIT 20
"""


@click.command(name="runs")
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo-out"), show_default=True, help="Run folder.")
@click.option(
    "--sql", default=_LATEST, show_default="the last 20 runs", help="DuckDB SQL over `runs`, `stages`, `logs`."
)
@json_option
def command(out: Path, sql: str, as_json: bool) -> None:
    """Show what the runs into a folder did: shards made and found done, rejections, time, calls and cost.

    Tables: runs(run_id, started_at, status, wall_s, dataset, version, calls, tokens, cost, problem, config_sha256,
    code_version), stages(run_id, stage, made, found, missing, items_in, items_out, rejected, work_s) and logs(run_id,
    logged_at, level, logger, message).
    """
    from flows.run_log import read_logs, read_runs
    from schemas.errors import InputError

    records = read_runs(out)
    if not records:
        raise InputError(f"no run has been recorded in {out.name or out}", remedy="name the `out` folder of a run")
    stages = [{"run_id": run["run_id"], **stage} for run in records for stage in run.get("stages", ())]
    tables = {"runs": (_RUN, records), "stages": (_STAGE, stages), "logs": (_LOG, list(read_logs(out)))}
    names, rows = _asked(sql, tables)
    result = {"rows": [dict(zip(names, (_plain(value) for value in row), strict=True)) for row in rows]}
    say(result, as_json, [] if as_json else _table(names, rows))


def _asked(sql: str, tables: Mapping[str, Table]) -> tuple[list[str], list[tuple[Any, ...]]]:
    import duckdb

    from schemas.errors import InputError

    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_external_access = false")
        for table, (columns, given) in tables.items():
            connection.register("given", _arrow(columns, given))
            chosen = ", ".join(f"{name}::{kind} AS {name}" for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} AS SELECT {chosen} FROM given")  # noqa: S608
            connection.unregister("given")
        try:
            found = connection.execute(sql)
            if found is None or not found.description:  # a comment alone gives no result
                raise InputError("the query asks for nothing", remedy="see `slidesmith runs --help`")
            return [column[0] for column in found.description], found.fetchall()
        except duckdb.Error as error:
            problem = str(error).splitlines()[0]
            raise InputError(f"the query failed: {problem}", remedy="see `slidesmith runs --help`") from error


def _arrow(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as a table; times are still text."""
    import pyarrow as pa

    kinds = {"DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    schema = pa.schema([(name, kinds.get(kind, pa.string())) for name, kind in columns.items()])
    return pa.Table.from_pylist(rows, schema=schema)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def _table(names: list[str], rows: list[tuple[Any, ...]]) -> list[str]:
    cells = [names, *[["" if value is None else str(value) for value in row] for row in rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
