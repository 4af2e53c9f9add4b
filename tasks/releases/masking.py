"""Reports looked through for identifying text, and masked where the configuration says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import from_table, schema_of, to_table
from schemas.records import Report
from tasks.releases.candidate import Candidate
from tasks.releases.identifying import identifiers, mask
from tasks.store import write_parquet

if TYPE_CHECKING:
    import duckdb

TEXTS = """
    SELECT report_id, s.title, s.text FROM (SELECT report_id, unnest(sections) AS s FROM reports)
    UNION ALL SELECT min(caption_id), 'text', text FROM captions GROUP BY text
    UNION ALL SELECT min(perturbation_id), 'text', text FROM perturbations GROUP BY text
    UNION ALL SELECT min(question_id), 'rationale', rationale FROM questions GROUP BY rationale
    UNION ALL SELECT min(question_id), 'question', question FROM questions GROUP BY question
    UNION ALL SELECT min(sample_id), 'observe', observe FROM reasoning GROUP BY observe
    UNION ALL SELECT min(sample_id), 'answer', answer FROM reasoning GROUP BY answer
"""
COLUMNS = {"item": pa.string(), "part": pa.string(), "kind": pa.string(), "first": pa.int64(), "last": pa.int64()}


def register_identifying(connection: duckdb.DuckDBPyConnection, *, look: bool) -> None:
    """Add the table `identifying`: where in which text what could identify somebody; empty where not to look."""
    rows = list(_found(connection)) if look else []
    arrays = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(COLUMNS.values())]
    connection.register("identifying", pa.table(arrays, names=list(COLUMNS)))


def _found(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str, int, int]]:
    for item, part, text in connection.execute(TEXTS).fetchall():
        for span in identifiers(text or ""):
            yield item, part, span.kind, span.start, span.end


def mask_reports(candidate: Candidate, folder: Path) -> Candidate:
    """Return a candidate whose reports are masked; spans of mentions stay where they are.

    Args:
        candidate: what might become a release.
        folder: where the masked reports are written.
    """
    paths = []
    for at, path in enumerate(candidate.tables.get("reports", ())):
        reports = from_table(pq.read_table(path, columns=schema_of(Report).names), Report)
        masked = [
            replace(report, sections=tuple(replace(s, text=mask(s.text)) for s in report.sections))
            for report in reports
        ]
        paths.append(folder / f"{at:05d}.parquet")
        write_parquet(to_table(masked, Report), paths[-1])
    return replace(candidate, tables={**candidate.tables, "reports": paths})
