"""Gather a run's shards into a release candidate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.plan import Plan
from schemas.records import TABLES
from tasks.releases.candidate import Candidate
from tasks.report.contents import count_stages
from tasks.settings import code_version
from tasks.splits import read_splits
from tasks.store import Shard

# Where a published table comes from, where several stages write it: the last of them.
_STAGE_OF_TABLE = {
    "slides": "tiling",
    "tiles": "tiling",
    "fields": "features",
    "reports": "reports",
    "mentions": "reports",
    "captions": "texts",
    "perturbations": "texts",
    "reasoning": "texts",
    "questions": "reviewed",
    "review_events": "reviewed",
}


def finished_shards(plan: Plan) -> list[Shard]:
    """Return the run's shards that are done, in the order of the line."""
    return [shard for stage, key in plan.shards() if (shard := plan.store.find(stage, key))]


def gather_candidate(plan: Plan) -> Candidate:
    """Return the candidate of a run: paths of tables, counts, leak table and lineage; no image is loaded."""
    shards = [shard for shard in finished_shards(plan) if shard.info.stage != "model"]
    screening = plan.store.open("screening", plan.screening)
    graph = plan.store.open("graph", plan.graph)
    reviewed = plan.store.open("reviewed", plan.reviewed)
    return Candidate(
        tables={table: list(_paths(shards, table, reviewed)) for table in TABLES},
        split_of_patient=split_of_every_patient(plan),
        stage_counts=[_counts(row) for row in count_stages([shard.info for shard in shards])],
        leak_table=json.loads(screening.path("cells.json").read_text()),
        lexicon=graph.path("lexicon.parquet"),
        lineage={"run": plan.release, "shards": [[shard.info.stage, shard.info.key] for shard in shards]},
        config=plan.portable_config(),
        code_version=code_version("schemas", "kg", "tasks"),
        sources=graph.info.facts["sources"],
    )


def split_of_every_patient(plan: Plan) -> dict[str, str]:
    """Return the split of every patient; one with a report alone has that of the run's file of splits, or trains."""
    reports = plan.store.open("reports", plan.reports).table("reports", ["patient_id"])
    remembered = read_splits(plan.splits_file)
    alone = sorted(set(reports["patient_id"].to_pylist()) - plan.splits.keys())
    return {patient: remembered.get(patient, "train") for patient in alone} | plan.splits


def _paths(shards: list[Shard], table: str, reviewed: Shard) -> Iterator[Path]:
    stage = _STAGE_OF_TABLE.get(table)
    for shard in shards:
        if table in shard.info.rows and stage in (None, shard.info.stage):
            holder, name = as_reviewed(shard, table, reviewed)
            yield holder.path(f"{name}.parquet")


def as_reviewed(shard: Shard, table: str, reviewed: Shard) -> tuple[Shard, str]:
    """Return the shard and name of a table: review writes the texts of a slide anew where a decision touches it."""
    rewritten = f"{table}-{shard.info.key}"
    return (reviewed, rewritten) if rewritten in reviewed.info.rows else (shard, table)


def _counts(row: Any) -> dict[str, Any]:
    plain = asdict(row)
    return {name: plain[name] for name in ("stage", "items_in", "items_out", "rejected")}
