"""What two manifests say differently: tables and columns, the readers' results, the sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def schema_changes(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[str]:
    """Return tables and columns that came, went or have another type."""
    changes = [f"table {name} is new" for name in newer["tables"] if name not in older["tables"]]
    changes += [f"table {name} is gone" for name in older["tables"] if name not in newer["tables"]]
    for name in newer["tables"]:
        if name in older["tables"]:
            was, now = ({c["name"]: c["type"] for c in r["tables"][name]["columns"]} for r in (older, newer))
            changes += [f"{name}.{column} is new" for column in now if column not in was]
            changes += [f"{name}.{column} is gone" for column in was if column not in now]
            changes += [f"{name}.{c} is {now[c]}, was {was[c]}" for c in now if c in was and now[c] != was[c]]
    return changes


def metric_changes(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Return what differs in leak table and reviewers' agreement, and whether it is of all questions or a failure."""
    was, now = ({(row["reader"], row["cell"]): row for row in manifest["leak_table"]} for manifest in (older, newer))
    changes = []
    for reader, cell in sorted(was.keys() | now.keys()):
        before, after = was.get((reader, cell)), now.get((reader, cell))
        if before != after:
            verdicts = [row and row["verdict"] for row in (before, after)]
            tells = cell == "all" or (verdicts[0] != verdicts[1] and "fail" in verdicts)
            changes.append((f"{reader} on {cell}: {_result(before)} -> {_result(after)}", tells))
    names = sorted(older["agreement"].keys() | newer["agreement"].keys())
    pairs = [(name, older["agreement"].get(name), newer["agreement"].get(name)) for name in names]
    return changes + [(f"{name}: {before} -> {after}", True) for name, before, after in pairs if before != after]


def _result(row: Mapping[str, Any] | None) -> str:
    return "not read" if row is None else f"{row['accuracy']:.3f} ({row['verdict']}, n = {row['n']})"


def source_changes(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[str]:
    """Return sources that came, went or changed."""
    was, now = ({row["name"]: row for row in manifest["sources"]} for manifest in (older, newer))
    changes = [f"source {name} is new" for name in now if name not in was]
    changes += [f"source {name} is gone" for name in was if name not in now]
    return changes + [f"source {name} changed" for name in now if name in was and now[name] != was[name]]
