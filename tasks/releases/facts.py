"""Counts that the dataset card shows, asked of the candidate's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

QUERIES: dict[str, str] = {
    "patients": "SELECT split, count(DISTINCT patient_id) FROM slides GROUP BY split ORDER BY split",
    "slides_by_organ": "SELECT coalesce(organ, 'not stated'), split, count(*) FROM slides GROUP BY ALL ORDER BY ALL",
    "tiles_by_scale": """
        SELECT scale, round(min(mpp), 3), round(max(mpp), 3), min(width_px), max(width_px), count(*)
        FROM tiles GROUP BY scale ORDER BY min(mpp)""",
    "questions_by_dimension": "SELECT dimension, split, count(*) FROM questions GROUP BY ALL ORDER BY ALL",
    "questions_by_form": """
        SELECT template_kind, CASE WHEN option_set_id IS NULL THEN 'per item' ELSE 'counterbalanced' END, count(*)
        FROM questions GROUP BY ALL ORDER BY ALL""",
    "options": "SELECT len(options), count(*) FROM questions GROUP BY ALL ORDER BY ALL",
    "perturbations_by_operator": "SELECT operator, role, count(*), count(*) FILTER (hard_negative), "
    "count(*) FILTER (certified_false) FROM perturbations GROUP BY ALL ORDER BY ALL",
    "captions_by_level": "SELECT level, count(*) FROM captions GROUP BY ALL ORDER BY ALL",
    "steps": "SELECT len(think), count(*) FROM reasoning GROUP BY ALL ORDER BY ALL",
    "rejections": "SELECT stage, reason, count(*) FROM rejections GROUP BY ALL ORDER BY ALL",
    "generators": """
        SELECT provenance.generator, coalesce(provenance.model, ''), count(*) FROM (
            SELECT provenance FROM captions UNION ALL SELECT provenance FROM perturbations
            UNION ALL SELECT provenance FROM questions UNION ALL SELECT provenance FROM reasoning
        ) GROUP BY ALL ORDER BY ALL""",
    "slide_licences": "SELECT coalesce(licence, 'not stated'), count(*) FROM slides GROUP BY ALL ORDER BY ALL",
}


@dataclass(frozen=True)
class Facts:
    """Rows of every query, by its name."""

    rows: dict[str, list[tuple[Any, ...]]]

    def __getitem__(self, name: str) -> list[tuple[Any, ...]]:
        return self.rows[name]

    def crossed(self, name: str) -> tuple[list[str], list[str], dict[tuple[str, str], int]]:
        """Return the rows' names, the columns' names and the counts of a query of (row, column, n)."""
        table = {(str(row), str(column)): int(n) for row, column, n in self.rows[name]}
        return sorted({row for row, _ in table}), sorted({column for _, column in table}), table


def gather_facts(connection: duckdb.DuckDBPyConnection) -> Facts:
    """Run every query over the candidate's tables."""
    return Facts({name: connection.execute(query).fetchall() for name, query in QUERIES.items()})
