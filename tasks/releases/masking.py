"""Published texts looked through for what identifies somebody, and reports masked where the configuration says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import from_table, schema_of, to_table
from schemas.identifying import identifiers, mask
from schemas.records import Mention, Report, Section
from tasks.releases.candidate import Candidate
from tasks.store import write_parquet

if TYPE_CHECKING:
    import duckdb

TEXTS = """
    SELECT report_id, s.title, s.text FROM (SELECT report_id, unnest(sections) AS s FROM reports)
    UNION ALL SELECT min(report_id), 'section titles', s.title
        FROM (SELECT report_id, unnest(sections) AS s FROM reports) GROUP BY s.title
    UNION ALL SELECT min(caption_id), 'text', text FROM captions GROUP BY text
    UNION ALL SELECT min(perturbation_id), 'text', text FROM perturbations GROUP BY text
    UNION ALL SELECT min(question_id), 'rationale', rationale FROM questions GROUP BY rationale
    UNION ALL SELECT min(question_id), 'question', question FROM questions GROUP BY question
    UNION ALL SELECT min(question_id), 'options', option
        FROM (SELECT question_id, unnest(options) AS option FROM questions) GROUP BY option
    UNION ALL SELECT min(sample_id), 'prompt', prompt FROM reasoning GROUP BY prompt
    UNION ALL SELECT min(sample_id), 'observe', observe FROM reasoning GROUP BY observe
    UNION ALL SELECT min(sample_id), 'steps', step.text
        FROM (SELECT sample_id, unnest(think) AS step FROM reasoning) GROUP BY step.text
    UNION ALL SELECT min(sample_id), 'answer', answer FROM reasoning GROUP BY answer
    UNION ALL SELECT min(item_id), 'rejection', detail FROM rejections GROUP BY detail
"""
"""Every published text that people or models wrote, with the row (of equal ones, the first) and the part it is."""
PAYLOADS = "SELECT item_id, payload FROM review_events ORDER BY event_id"
COLUMNS = {"item": pa.string(), "part": pa.string(), "kind": pa.string(), "first": pa.int64(), "last": pa.int64()}


def register_identifying(connection: duckdb.DuckDBPyConnection, *, look: bool) -> None:
    """Add the table `identifying`: where in which text what could identify somebody; empty where not to look."""
    rows = list(_found(connection)) if look else []
    arrays = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(COLUMNS.values())]
    connection.register("identifying", pa.table(arrays, names=list(COLUMNS)))


def _found(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str, int, int]]:
    for item, part, text in connection.execute(TEXTS).fetchall():
        for span in identifiers(text or ""):
            yield item, mask(part), span.kind, span.start, span.end
    for item, payload in connection.execute(PAYLOADS).fetchall():
        for text in _said(json.loads(payload)):
            for span in identifiers(text):
                yield item, "review", span.kind, span.start, span.end


def _said(payload: Any) -> Iterator[str]:
    """Yield every text of a payload: as JSON it would hide behind escapes what begins a line."""
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, (list, dict)):
        for part in payload.values() if isinstance(payload, dict) else payload:
            yield from _said(part)


def mask_reports(candidate: Candidate, folder: Path) -> Candidate:
    """Return a candidate whose reports are masked, titles too; spans of mentions stay where they are.

    Args:
        candidate: what might become a release.
        folder: where the masked reports are written, and mentions whose section has a masked title.
    """
    reports = []
    for at, path in enumerate(candidate.tables.get("reports", ())):
        reports.append(folder / f"reports-{at:05d}.parquet")
        found = from_table(pq.read_table(path, columns=schema_of(Report).names), Report)
        write_parquet(to_table([_masked(report) for report in found], Report), reports[-1])
    mentions = [
        _with_masked_titles(path, folder / f"mentions-{at:05d}.parquet")
        for at, path in enumerate(candidate.tables.get("mentions", ()))
    ]
    changed = {"reports": reports, "mentions": mentions}
    return replace(candidate, tables={name: changed.get(name, paths) for name, paths in candidate.tables.items()})


def _masked(report: Report) -> Report:
    return replace(report, sections=tuple(Section(mask(s.title), mask(s.text)) for s in report.sections))


def _with_masked_titles(path: Path, place: Path) -> Path:
    table = pq.read_table(path, columns=schema_of(Mention).names)
    masked = {title: mask(title) for title in table["section"].unique().to_pylist() if title is not None}
    if all(title == hidden for title, hidden in masked.items()):
        return path
    titles = pa.array([masked.get(title) for title in table["section"].to_pylist()], pa.string())
    at = table.schema.get_field_index("section")
    write_parquet(table.set_column(at, table.schema.field(at), titles), place)
    return place
