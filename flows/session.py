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
from flows.outcome import OUTCOME, finished
from flows.plan import make_plan
from tasks.review.decision_log import collect_log


def run_curation(config: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """Run `curate`, or find that nothing has changed; return the outcome as data and as lines."""
    with nullcontext() if is_drawn(config) else prefect_started_beside():
        draw_demo(config)
    if config.decisions is None:
        collect_log(config.out / "review")
    plan = make_plan(config)
    outcome = finished(plan)
    if outcome is None:
        from flows.curate import curate

        watch_for_interruption()
        curate(config)
        outcome = json.loads((config.out / OUTCOME).read_text())
        lines = _lines(config, outcome)
    else:
        lines = ["nothing has changed since the last run", *_lines(config, outcome)]
    return outcome, lines


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
