"""What the command line does around the `curate` flow: inputs of the demo, the plan shown, the outcome told."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flows.config import RunConfig
from flows.draw_demo import draw_demo, is_drawn
from flows.early_start import prefect_started_beside
from flows.interruption import watch_for_interruption
from flows.plan import Plan, make_plan
from tasks.releases.stores import open_store
from tasks.releases.versions import versions
from tasks.review.journal import collect_log

OUTCOME = "run.json"


def run_curation(config: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """Run `curate`, or find that nothing has changed; return the outcome as data and as lines."""
    with nullcontext() if is_drawn(config) else prefect_started_beside():
        draw_demo(config)
    if config.decisions is None:
        collect_log(config.out / "review")
    plan = make_plan(config)
    outcome = _finished(plan)
    if outcome is None:
        from flows.curate import curate

        watch_for_interruption()
        curate(config)
        outcome = json.loads((config.out / OUTCOME).read_text())
        lines = _lines(config, outcome)
    else:
        lines = ["nothing has changed since the last run", *_lines(config, outcome)]
    return outcome, lines


def _finished(plan: Plan) -> dict[str, Any] | None:
    path = plan.config.out / OUTCOME
    try:
        outcome: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    there = all((plan.config.out / name).is_file() for name in outcome.get("files", ["?"]))
    shards = all(plan.store.find(stage, key) for stage, key in plan.shards())
    release = plan.config.release
    published = release.version in versions(open_store(plan.release_store), release.dataset)
    return outcome if there and shards and published and outcome.get("run_key") == plan.run else None


def _lines(config: RunConfig, outcome: dict[str, Any]) -> list[str]:
    try:
        out = config.out.relative_to(Path.cwd())
    except ValueError:
        out = config.out
    release = outcome["release"]
    place = release["path"] if config.releases else out / release["path"]
    lines = [
        f"release     {place}  ({release['rows'].get('questions', 0):,} questions, "
        f"{release['rows'].get('fields', 0):,} fields)",
        f"report      {out / 'report.html'}",
    ]
    if "evaluation" in outcome:
        scores = ", ".join(f"{name.replace('_', ' ')} {score:.2f}" for name, score in outcome["evaluation"].items())
        lines += [f"evaluation  {out / 'evaluation.json'}  ({scores})"]
    lines += [f"warning     {warning}" for warning in outcome.get("warnings", [])]
    if outcome.get("warnings"):  # of a small demo: every other run fails instead
        lines.append("            so few slides are too few to learn from")
    queued = f"{outcome['flagged']} flagged, {outcome['audited']} drawn at random"
    lines.append(f"to review   {out / 'review' / 'queue.jsonl'}  ({queued})")
    lines += [
        "",
        "Next: open the report in a browser; read the release with any Parquet reader, e.g.",
        f"  python -c \"import pandas; print(pandas.read_parquet('{place}/data/questions'))\"",
        "  slidesmith run --config FILE   with your own slides (README, 'Your own slides')",
    ]
    return lines
