"""Flow: can the questions be answered without the image?"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.limits import screening_slots, slots
from flows.plan import make_plan
from tasks.screening.task import screen


@flow(name="screen-leakage")
def screen_leakage(config: RunConfig | Path) -> None:
    """Screen all questions with text-only readers; items of failing cells are dropped with a reason."""
    settings = resolve_config(config)
    plan = make_plan(settings)
    questions, graph = plan.store.open("questions", plan.questions), plan.store.open("graph", plan.graph)
    if plan.store.find("screening", plan.screening):
        return
    with slots(*screening_slots(settings.screening)):
        screen(plan.store, plan.screening, questions, graph, settings.screening)
