"""Flow: fill the annotators' queue with what screening flagged, and end; a run never waits for people."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.config import RunConfig, resolve_config
from flows.plan import make_plan
from tasks.review.task import open_items, set_desk


@flow(name="open-review")
def open_review(config: RunConfig | Path) -> None:
    """Open one item per flagged question and a random sample of the others and of the texts.

    Writes `review/queue.jsonl` and `review/desk.sqlite`, all that `slidesmith review serve` needs, and an artifact that
    leads people to the queue.
    """
    settings = resolve_config(config)
    plan = make_plan(settings)
    texts = [plan.store.open("texts", key) for key in plan.texts]
    features = [plan.store.open("features", key) for key in plan.features]
    screened, graph = plan.store.open("screening", plan.screening), plan.store.open("graph", plan.graph)
    info = open_items(plan.store, plan.queue, screened, features, texts, graph, settings.review)
    tiling = [plan.store.open("tiling", key) for key in plan.tiling]
    set_desk(plan.store.open("queue", plan.queue), tiling, settings.out / "review")
    page = settings.review.page_url.rstrip("/")
    create_markdown_artifact(
        key="review-queue",
        description="What waits for annotators",
        markdown=f"# {info.items_out} items to review\n\n"
        f"{info.facts['flagged']} flagged by screening, {info.facts['audit']} drawn at random.\n\n"
        f"[Open the queue]({page}/?show=to_read) once `slidesmith review serve` runs.\n",
    )
