"""`slidesmith generate`: everything up to captions, perturbations, questions and reasoning samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.commands.options import json_option, quiet_prefect, run_options, say

if TYPE_CHECKING:
    from flows.config import RunConfig
    from flows.plan import Plan


@click.command(name="generate")
@run_options("Print calls, tokens and cost of the endpoint; send and write nothing.")
@json_option
def command(config_file: Path, out: Path | None, dry_run: bool, verbose: bool, as_json: bool) -> None:
    """Tile, build the graph, say what every field shows, and write all texts about it.

    Who writes is `generation.generator`: the rules, or a language model behind `generation.endpoint`. Interrupted or
    killed, the same command continues, and no answered call is made again.
    """
    from flows.config import load_config

    config = load_config(config_file, **({"out": str(out.absolute())} if out else {}))
    if dry_run:
        result, lines = _rehearsed(config)
    else:
        quiet_prefect(verbose)
        result, lines = _generated(config)
    say(result, as_json, lines)


def _rehearsed(config: RunConfig) -> tuple[dict[str, Any], list[str]]:
    from flows.rehearse_generation import calls_table, rehearse_generation

    if config.generation.endpoint is None:
        return {"steps": {}, "unknown": []}, ["no endpoint is configured: the rules write everything, without a call"]
    found = rehearse_generation(config)
    return {"steps": {step: asdict(cost) for step, cost in found.steps.items()}, "unknown": found.unknown}, calls_table(
        found
    )


def _generated(config: RunConfig) -> tuple[dict[str, Any], list[str]]:
    from flows.build_graph import build_graph
    from flows.draw_demo import draw_demo
    from flows.generate_samples import generate_samples
    from flows.plan import make_plan
    from flows.tile_slides import tile_slides

    draw_demo(config)
    tile_slides(config)
    build_graph(config)
    generate_samples(config)
    return outcome(make_plan(config))


def outcome(plan: Plan) -> tuple[dict[str, Any], list[str]]:
    """Return what generation wrote, rejected and spent, as data and as lines."""
    infos = [plan.store.open("features", key).info for key in plan.features]
    texts = [plan.store.open("texts", key).info for key in plan.texts]
    questions = plan.store.open("questions", plan.questions).info
    rows: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for info in (*infos, *texts, questions):
        rows.update(info.rows)
        rejected.update(info.rejected)
    del rows["rejections"]
    operators, refused_by, silent = Counter[str](), Counter[str](), 0
    for info in texts:
        operators.update(info.facts["operators"])
        refused_by.update(info.facts["refused_by"])
        silent += info.facts["without_diagnosis"]
    result: dict[str, Any] = {
        "rows": dict(rows),
        "rejected": dict(sorted(rejected.items())),
        "refused_by": dict(refused_by),
        "without_diagnosis": silent,
        "operators": dict(sorted(operators.items())),
        "templates": questions.facts["templates"],
        "spent": _spent(plan),
    }
    return result, _lines(result)


def _spent(plan: Plan) -> dict[str, Any] | None:
    from tasks.endpoint.client import Endpoint

    endpoint = plan.config.generation.endpoint
    if endpoint is None:
        return None
    spent = Endpoint(endpoint, plan.endpoint_folder).spent()
    return {"calls": spent.calls, "tokens": spent.tokens, "cost": spent.cost if endpoint.prices else None}


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [f"{name:<16}{count:>10,}" for name, count in result["rows"].items()]
    lines += _table("rejected: ", result["rejected"]) + _table("reasoning refused by: ", result["refused_by"])
    lines.append(f"{'fields without a diagnosis to reason to':<44}{result['without_diagnosis']:>8,}")
    lines += _table("perturbations: ", result["operators"]) + _table("questions: ", result["templates"])
    if result["spent"]:
        spent = result["spent"]
        price = "cost unknown" if spent["cost"] is None else f"{spent['cost']:,.4f}"
        lines += ["", f"endpoint so far: {spent['calls']:,} calls, {spent['tokens']:,} tokens, {price}"]
    return lines


def _table(title: str, counts: dict[str, int]) -> list[str]:
    return ["", *(f"{title + name:<44}{count:>8,}" for name, count in counts.items())]
