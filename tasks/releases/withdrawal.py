"""A release as a candidate again, without one patient, and with its counterbalanced sets balanced anew."""

# ruff: noqa: S608 - names of tables come from a closed list
from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import schema_of, to_table
from schemas.records import TABLES, Rejection
from tasks.releases.candidate import Candidate
from tasks.releases.database import FILE, ROW, open_database
from tasks.releases.edition import LEXICON
from tasks.releases.past import withdrawn_mark
from tasks.releases.read import Release
from tasks.releases.relations import OWNERS
from tasks.releases.rows import read_rows
from tasks.store import write_parquet

if TYPE_CHECKING:
    import duckdb

REJECTS_AS = {"texts": "generation", "questions": "generation", "reviewed": "review"}
"""Stages that are counted under another name than their rejections bear."""
UNBALANCED = """
    WITH asked AS (
        SELECT question_id, option_set_id, split, question, options, answer_index
        FROM questions WHERE option_set_id IS NOT NULL AND owner <> $patient
    ),
    counted AS (
        SELECT option_set_id, split, question, options, count(*) AS keys, min(n) AS least FROM (
            SELECT option_set_id, split, question, options, answer_index, count(*) AS n FROM asked GROUP BY ALL
        ) GROUP BY ALL
    )
    SELECT question_id FROM (
        SELECT *, row_number() OVER (
            PARTITION BY option_set_id, split, question, options, answer_index ORDER BY question_id
        ) AS place FROM asked
    ) JOIN counted USING (option_set_id, split, question, options)
    WHERE keys < len(options) OR place > least ORDER BY question_id
"""
"""Questions of option sets whose texts are no longer balanced within their split once the patient has gone."""


def without(release: Release, patient: str, folder: Path) -> tuple[Candidate, dict[str, int], int]:
    """Return a release as a candidate without a patient, the rows that went, and how many questions were left out.

    Args:
        release: a release in a local folder.
        patient: pseudonym of the patient.
        folder: for files that change, and for what does not fit in memory.
    """
    whole = as_candidate(release)
    with open_database(whole, folder) as connection:
        _own_what_names_them(connection, patient)
        dropped = connection.execute(UNBALANCED, {"patient": patient}).fetchall()
        ids = [question for (question,) in dropped]
        connection.register("dropped", pa.table({"question_id": pa.array(ids, pa.string())}))
        reasons = connection.execute(
            "SELECT stage, reason, count(*) FROM rejections WHERE owner = $patient GROUP BY ALL ORDER BY ALL",
            {"patient": patient},
        ).fetchall()
        tables = {}
        rows = {}
        for name in whole.tables:
            gone = _gone(connection, name, patient)
            rows[name] = sum(len(numbers) for numbers in gone.values())
            tables[name] = [
                _filtered(path, gone.get(at), folder / f"{name}-{at}.parquet", name)
                for at, path in enumerate(whole.tables[name])
            ]
    counts = less(whole.stage_counts, {(stage, reason): n for stage, reason, n in reasons})
    if ids:
        notes = [Rejection(i, "release", "unbalanced", "its option set lost a patient who withdrew") for i in ids]
        write_parquet(to_table(notes, Rejection), folder / "left-out.parquet")
        tables["rejections"] = [*tables.get("rejections", []), folder / "left-out.parquet"]
        left = release.tables["questions"]["rows"] - rows["questions"]
        counts.append(
            {"stage": "release", "items_in": left + len(ids), "items_out": left, "rejected": {"unbalanced": len(ids)}}
        )
    splits = {p: split for p, split in whole.split_of_patient.items() if p != patient}
    lineage = {
        **whole.lineage,
        "patients_withdrawn": int(whole.lineage.get("patients_withdrawn", 0)) + 1,
        "withdrawn": sorted({*whole.lineage.get("withdrawn", ()), withdrawn_mark(release.dataset, patient)}),
        "from_version": release.version,
    }
    candidate = Candidate(
        tables=tables,
        split_of_patient=splits,
        stage_counts=counts,
        leak_table=whole.leak_table,
        lexicon=whole.lexicon,
        lineage=lineage,
        config=whole.config,
        code_version=whole.code_version,
        sources=whole.sources,
        agreement=whole.agreement,
    )
    return candidate, rows, len(ids)


def as_candidate(release: Release) -> Candidate:
    """Return a release in a local folder as the candidate that it was."""
    manifest = release.manifest
    owners = [read_rows(release, name, ["patient_id", "split"]) for name in OWNERS if name in release.tables]
    splits = {
        row["patient_id"]: row["split"]
        for table in owners
        for row in table.group_by(["patient_id", "split"]).aggregate([]).to_pylist()
    }
    lexicon = release.path / LEXICON
    return Candidate(
        tables={name: [Path(path) for path in release.files(name)] for name in release.tables},
        split_of_patient=dict(sorted(splits.items())),
        stage_counts=manifest["stage_counts"],
        leak_table=manifest["leak_table"],
        lexicon=lexicon if lexicon.exists() else None,
        lineage=manifest["lineage"],
        config=manifest["config"],
        code_version=manifest["code_version"],
        sources=manifest["sources"],
        agreement=manifest["agreement"],
    )


def _own_what_names_them(connection: duckdb.DuckDBPyConnection, patient: str) -> None:
    """Count as the patient's every rejection that names them, or a slide of theirs.

    A pseudonym of one or two characters could be a count of anything, and is not looked for.
    """
    slides = connection.execute("SELECT name, uri FROM slides WHERE owner = $patient", {"patient": patient}).fetchall()
    names = {name for row in slides for name in row} | ({patient} if len(patient) > 2 else set())
    told = "|".join(re.escape(name) for name in sorted(names))
    if told:
        connection.execute(
            "UPDATE rejections SET owner = $patient WHERE regexp_matches(item_id || ' ' || detail, $told)",
            {"patient": patient, "told": f"(^|[^0-9A-Za-z])({told})($|[^0-9A-Za-z])"},
        )


def _gone(connection: duckdb.DuckDBPyConnection, name: str, patient: str) -> dict[int, np.ndarray]:
    also = " OR question_id IN (SELECT question_id FROM dropped)" if name == "questions" else ""
    found = connection.execute(
        f"SELECT {FILE}, list({ROW}) FROM {name} WHERE owner = $patient{also} GROUP BY {FILE}", {"patient": patient}
    ).fetchall()
    return {int(at): np.array(numbers) for at, numbers in found}


def _filtered(path: Path, gone: np.ndarray | None, place: Path, name: str) -> Path:
    if gone is None:
        return path
    table = pq.read_table(path, columns=schema_of(TABLES[name]).names)
    kept = np.ones(table.num_rows, dtype=bool)
    kept[gone] = False
    write_parquet(table.filter(pa.array(kept)), place)
    return place


def less(counts: Sequence[Mapping[str, Any]], gone: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Return stage counts without rejections that are no longer listed: they did not come in either.

    Args:
        counts: what each stage counted.
        gone: (stage, reason) of rejections -> how many are no longer listed; what their stage did not count is taken
            from another that counted the reason.
    """
    left = dict(gone)
    reduced = [copy.deepcopy(dict(row)) for row in counts]
    for elsewhere in (False, True):
        for row in reduced:
            stage = REJECTS_AS.get(row["stage"], row["stage"])
            for key in [key for key in left if key[1] in row["rejected"] and (elsewhere or key[0] == stage)]:
                n = min(left[key], row["rejected"][key[1]])
                row["rejected"][key[1]] -= n
                row["items_in"] -= n
                left[key] -= n
    return reduced
