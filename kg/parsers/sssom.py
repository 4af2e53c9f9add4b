"""Reader of SSSOM mappings (tab-separated, metadata in comment lines).

Reference: Matentzoglu et al., Database 2022, baac035; https://mapping-commons.github.io/sssom/
"""

from __future__ import annotations

from collections import Counter

from kg.curies import is_curie, normal
from kg.parsers.opening import read_text, rows
from kg.parsers.parsed import Match, Parsed, SourceSpec

_COLUMNS = ("subject_id", "predicate_id", "object_id")


def read(spec: SourceSpec) -> Parsed:
    """Return the mappings of a file; negated ones are left out and counted.

    Raises:
        GraphError: a column is missing, a row has the wrong number of cells, or an identifier is no CURIE.
    """
    matches: list[Match] = []
    skipped: Counter[str] = Counter()
    for line, row in rows(spec, read_text(spec), "\t"):
        missing = [column for column in _COLUMNS if column not in row]
        if missing:
            raise spec.fault(1, f"no SSSOM: the column {missing[0]} is missing")
        subject, obj = normal(row["subject_id"]), normal(row["object_id"])
        if not is_curie(subject) or not is_curie(obj):
            raise spec.fault(line, f"{row['subject_id']!r} or {row['object_id']!r} is no identifier")
        if row.get("predicate_modifier") == "Not":
            skipped["negated mapping"] += 1
            continue
        matches.append(Match(subject, row["predicate_id"], obj, spec.name, line))
    return Parsed(spec, matches=tuple(matches), skipped=dict(skipped))
