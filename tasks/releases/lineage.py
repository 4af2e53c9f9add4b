"""Where a row comes from: back to the slide's bytes, the prompt, the model, and what people decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.errors import InputError
from tasks.releases.read import Release
from tasks.releases.relations import KEYS, REFERENCES
from tasks.releases.rows import find_rows

DECISIONS = {"verdicts": "question_id", "review_events": "item_id", "rejections": "item_id"}
"""Tables that speak about a row, and the column that names it."""

Row = dict[str, Any]


def trace(release: Release, item_id: str) -> dict[str, Any]:
    """Return a row and all that it comes from.

    Args:
        release: a release.
        item_id: key of a row of any table, e.g. `mcq_...` or `tile_...`.

    Returns:
        `item` (table and row), `from` (rows that it refers to, and those that they refer to, nearest first; images as
        their SHA-256), `cites` (`id`, `says`, `source` of the findings and the graph's edges that it rests on),
        `decisions` (verdicts, review events and rejections about it), and of the release: `version`,
        `code_version`, `sources`, `shards`.

    Raises:
        InputError: no row has that key.
    """
    item = _find(release, item_id)
    if item is None:
        decisions = _decisions(release, item_id)
        if not decisions["rejections"]:
            raise InputError(f"{release.name} has no item {item_id!r}", remedy="give the id of a row of any table")
        item = "rejections", decisions["rejections"][0]
    table, row = item
    upstream = list(_upstream(release, table, row))
    return {
        "item": {"table": table, **row},
        "from": upstream,
        "cites": list(_cited(row, upstream)),
        "decisions": _decisions(release, item_id),
        "release": {
            "dataset": release.dataset,
            "version": release.version,
            "code_version": release.manifest["code_version"],
            "sources": release.manifest["sources"],
            "lineage": release.manifest["lineage"],
        },
    }


def _find(release: Release, item_id: str) -> tuple[str, Row] | None:
    for table, key in KEYS.items():
        if len(key) == 1 and (rows := find_rows(release, table, key[0], item_id)):
            return table, rows[0]
    return None


def _upstream(release: Release, table: str, row: Row) -> Iterator[Row]:
    """Yield the rows that a row refers to, breadth first, each once."""
    seen, waiting = {row[KEYS[table][0]]} if table in KEYS else set(), [(table, row)]
    while waiting:
        here, of = waiting.pop(0)
        for reference in REFERENCES:
            wanted = of.get(reference.column) if reference.table == here else None
            if wanted is None or wanted in seen:
                continue
            seen.add(wanted)
            for target in reference.targets:
                for found in find_rows(release, target, KEYS[target][0], wanted):
                    yield {"table": target, **found}
                    waiting.append((target, found))


def _cited(row: Row, upstream: list[Row]) -> Iterator[dict[str, str]]:
    """Yield the findings that a question rests on, and the edges that the steps of a reasoning sample cite."""
    evidence = set(row.get("evidence_ids") or ())
    for feature in (feature for above in upstream for feature in above.get("features") or ()):
        if feature["feature_id"] in evidence:
            says = f"{feature['scale']}: {feature['attribute']} {feature['value']} {feature['polarity']}"
            yield {"id": feature["feature_id"], "says": says, "source": feature["source"]}
    for step in row.get("think") or ():
        if step["edge_id"]:
            yield {"id": step["edge_id"], "says": step["text"], "source": step["edge_source"]}


def _decisions(release: Release, item_id: str) -> dict[str, list[Row]]:
    return {table: find_rows(release, table, column, item_id) for table, column in DECISIONS.items()}
