"""Flow: read what the annotators have decided, and go on with what is left."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.plan import make_plan
from tasks.review.task import apply


@flow(name="close-review")
def close_review(config: RunConfig | Path) -> None:
    """Apply decisions: accepted items stay, edited ones change, rejected and held ones are counted."""
    settings = resolve_config(config)
    plan = make_plan(settings)
    screened = plan.store.open("screening", plan.screening)
    queue = plan.store.open("queue", plan.queue)
    apply(plan.store, plan.reviewed, screened, queue, settings.review, plan.decisions_file)
