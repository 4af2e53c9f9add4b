"""Flow: fill the annotators' queue with what screening flagged, and end; a run never waits for people."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.plan import make_plan
from tasks.review.task import open_items


@flow(name="open-review")
def open_review(config: RunConfig | Path) -> None:
    """Write one `open` event per flagged item to `review/queue.jsonl`."""
    settings = resolve_config(config)
    plan = make_plan(settings)
    screened = plan.store.open("screening", plan.screening)
    open_items(plan.store, plan.queue, screened, settings.review, settings.out / "review" / "queue.jsonl")
