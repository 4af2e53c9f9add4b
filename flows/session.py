"""What the command line does around the `curate` flow: inputs of the demo, the plan shown, the outcome told."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flows.config import RunConfig
from flows.draw_demo import draw_demo, is_drawn
from flows.early_start import prefect_started_beside
from flows.plan import Plan, make_plan
from tasks.review.journal import collect_log

OUTCOME = "run.json"


def dry_run_lines(config: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """Return the plan as data and as lines: shards to do and shards done already, by stage; nothing is written."""
    if not is_drawn(config) and config.demo:
        lines = [f"{config.demo.slides} synthetic slides are not drawn yet; the shards are known once they are"]
        return {"slides_to_draw": config.demo.slides}, lines
    plan = make_plan(config)
    todo: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for stage, key in plan.shards():
        (done if plan.store.find(stage, key) else todo)[stage] += 1
    calls = None if config.generation.endpoint else 0
    stages = list(dict.fromkeys(stage for stage, _ in plan.shards()))
    result = {
        "slides": len(plan.sources),
        "rejected": len(plan.rejected),
        "shards": {stage: {"to_do": todo[stage], "done": done[stage]} for stage in stages},
        "endpoint_calls": calls,
        "cost": calls,
    }
    lines = [f"{len(plan.sources)} slides, {len(plan.rejected)} rejected before tiling", ""]
    lines += [f"{'stage':<12}{'to do':>8}{'done':>8}"]
    lines += [f"{stage:<12}{todo[stage]:>8}{done[stage]:>8}" for stage in stages]
    told = "0 (rules generate everything)" if calls == 0 else "`slidesmith generate --dry-run` counts them"
    lines += ["", f"endpoint calls: {told}"]
    return result, lines


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
    return outcome if there and shards and outcome.get("run_key") == plan.run else None


def _lines(config: RunConfig, outcome: dict[str, Any]) -> list[str]:
    try:
        out = config.out.relative_to(Path.cwd())
    except ValueError:
        out = config.out
    release = outcome["release"]
    lines = [
        f"release     {out / release['path']}  ({release['rows'].get('questions', 0):,} questions, "
        f"{release['rows'].get('fields', 0):,} fields)",
        f"report      {out / 'report.html'}",
    ]
    if "evaluation" in outcome:
        scores = ", ".join(f"{name.replace('_', ' ')} {score:.2f}" for name, score in outcome["evaluation"].items())
        lines += [f"evaluation  {out / 'evaluation.json'}  ({scores})"]
    queued = f"{outcome['flagged']} flagged, {outcome['audited']} drawn at random"
    lines.append(f"to review   {out / 'review' / 'queue.jsonl'}  ({queued})")
    lines += [
        "",
        "Next: open the report in a browser; read the release with any Parquet reader, e.g.",
        f"  python -c \"import pandas; print(pandas.read_parquet('{out / release['path']}/data/questions'))\"",
        "  slidesmith run --config FILE   with your own slides (README, 'Your own slides')",
    ]
    return lines
