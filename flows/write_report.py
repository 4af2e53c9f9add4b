"""Flow: one HTML page for the run, and the outcome for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.candidate import finished_shards
from flows.config import RunConfig, resolve_config
from flows.outcome import OUTCOME, published, replace_text
from flows.plan import Plan, make_plan
from flows.report_contents import gather_contents
from schemas.errors import InputError
from tasks.releases.read import Release, open_release
from tasks.report.contents import Contents
from tasks.report.page import render


@flow(name="write-report")
def write_report(config: RunConfig | Path) -> None:
    """Write `report.html`, `evaluation.json` and `run.json`, each whole or not at all, and Prefect artifacts.

    Raises:
        InputError: nothing has been published yet, or something has changed since.
    """
    settings = resolve_config(config)
    plan = make_plan(settings)
    of = published(plan)
    if of.key != plan.release:
        problem = f"{settings.release.dataset} {of.version} is of other inputs than there are now"
        raise InputError(problem, remedy="run publish-release first")
    release = open_release(plan.release_store, settings.release.dataset, of.version)
    contents = gather_contents(plan, release)
    replace_text(settings.out / "report.html", render(contents))
    files = ["report.html"]
    if contents.evaluation is not None:
        replace_text(settings.out / "evaluation.json", json.dumps(contents.evaluation, indent=1, sort_keys=True))
        files.append("evaluation.json")
    outcome = _outcome(plan, release, contents, files)
    replace_text(settings.out / OUTCOME, json.dumps(outcome, indent=1, sort_keys=True))
    _artifacts(contents)


def _outcome(plan: Plan, release: Release, contents: Contents, files: list[str]) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "run_key": plan.run,
        "files": files,
        "flagged": contents.flagged,
        "audited": contents.audited,
        "release": {
            "path": contents.release_path,
            "fingerprint": release.fingerprint,
            "rows": {name: table["rows"] for name, table in sorted(release.tables.items())},
        },
        "stages": {
            row.stage: {"in": row.items_in, "out": row.items_out, "rejected": dict(row.rejected)}
            for row in contents.stages
        },
        "shards": len(finished_shards(plan)),
    }
    if contents.evaluation is not None:
        outcome["warnings"] = list(contents.warnings)
        outcome["evaluation"] = {
            measure: contents.evaluation[measure]["accuracy"] for measure in ("pairwise", "multiple_choice")
        }
    return outcome


def _artifacts(contents: Contents) -> None:
    rows = [
        {
            "stage": row.stage,
            "in": row.items_in,
            "out": row.items_out,
            "rejected": ", ".join(f"{reason} {number}" for reason, number in row.rejected.items()),
            "work_s": row.wall_s,
        }
        for row in contents.stages
    ]
    create_table_artifact(rows, key="funnel", description="What went in, what came out, and why the rest did not")
    leaks = [
        {name: row[name] for name in ("cell", "reader", "n", "accuracy", "low", "high", "verdict")}
        for row in contents.leaks
    ]
    create_table_artifact(leaks, key="leak-table", description="Text-only accuracy per cell and reader")
    create_table_artifact(
        [dict(row) for row in contents.spending],
        key="cost-ledger",
        description="What endpoints were asked, and what it cost, over the life of this folder",
    )
    create_markdown_artifact(
        f"Release `{contents.release_path}`, fingerprint `{contents.fingerprint}`",
        key="release",
        description="The release",
    )
