"""`--dry-run`: what a run would do, what is done, and what it would ask of endpoints; no work is done or shared."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from flows.config import RunConfig
from flows.draw_demo import is_drawn
from flows.plan import Plan, make_plan
from flows.rehearse_generation import Rehearsed, calls_table, rehearse_generation
from schemas.records import Question
from tasks.review.decisions import read_decisions, rulings


def dry_run_lines(config: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """Return the plan as data and as lines: shards to do and done by stage, calls to make and their cost by step."""
    if not is_drawn(config) and config.demo:
        lines = [f"{config.demo.slides} synthetic slides are not drawn yet; the shards are known once they are"]
        return {"slides_to_draw": config.demo.slides}, lines
    plan = make_plan(config)
    todo: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for stage, key in plan.shards():
        (done if plan.store.look(stage, key) else todo)[stage] += 1
    stages = list(dict.fromkeys(stage for stage, _ in plan.shards()))
    asked = expected_calls(plan)
    result = {
        "slides": len(plan.sources),
        "rejected": len(plan.rejected),
        "shards": {stage: {"to_do": todo[stage], "done": done[stage]} for stage in stages},
        "endpoints": {step: asdict(cost) for step, cost in asked.steps.items()},
        "not_counted": asked.unknown,
    }
    lines = [f"{len(plan.sources)} slides, {len(plan.rejected)} rejected before tiling", ""]
    lines += [f"{'stage':<12}{'to do':>8}{'done':>8}"]
    lines += [f"{stage:<12}{todo[stage]:>8}{done[stage]:>8}" for stage in stages]
    if asked.steps or asked.unknown:
        return result, [*lines, "", *calls_table(asked)]
    return result, [*lines, "", "no endpoint is configured: rules write everything, without a call"]


def expected_calls(plan: Plan) -> Rehearsed:
    """Return the calls that are not answered yet, by step, and what could not be counted.

    Work that is done asks nothing; what depends on work that is not done is named among the unknown.
    """
    config = plan.config
    questions = plan.store.look("questions", plan.questions)
    written = questions is not None and all(plan.store.look("texts", key) for key in plan.texts)
    found = Rehearsed() if written else rehearse_generation(config)
    screening = config.screening
    if screening.endpoint is not None and _edits_wait(plan):
        found.unknown.append("calls of screening's reader for questions that annotators rewrote")
    if plan.store.look("screening", plan.screening):
        return found
    if screening.endpoint is not None and questions is None:
        found.unknown.append("calls of screening's reader: the questions are not written yet")
    elif screening.endpoint is not None and questions is not None:
        from tasks.screening.endpoint_reader import endpoint_readers, estimate
        from tasks.screening.items import item_of

        readers = endpoint_readers(screening.endpoint, plan.endpoint_folder)
        items = [item_of(question) for question in questions.records("questions", Question)]
        found.steps["screening"] = estimate(readers, items)
    if screening.writer is not None:
        found.unknown.append("calls of screening's writer: which questions leak is not known yet")
    return found


def _edits_wait(plan: Plan) -> bool:
    if plan.store.look("reviewed", plan.reviewed) or not plan.config.review.rescreen_edits:
        return False
    return any(ruling.outcome == "edit" for ruling in rulings(read_decisions(plan.decisions_file)).values())
