"""Flow: slides to fields and tiles, one shard per slide."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.execution import gather, task_runner
from flows.plan import make_plan
from flows.usable_slides import check_usable
from tasks.tiling.task import list_slides, tile


@flow(name="tile-slides")
def tile_slides(config: RunConfig | Path) -> None:
    """Tile every slide of the manifest; slides that cannot be used become rejections.

    Raises:
        StageFailedError: no slide is usable, a larger share than `tiling.max_failed_share` is not, or one went or
            changed since it was listed.
    """
    settings = resolve_config(config)
    plan = make_plan(settings)
    list_slides(plan.store, plan.slides, len(plan.sources), plan.rejected)
    with task_runner(settings.runner) as runner:
        futures = [
            runner.submit(tile, {"store": plan.store, "key": key, "source": source, "config": settings.tiling})
            for key, source in zip(plan.tiling, plan.sources, strict=True)
        ]
        gather("tile slides", futures, [source.name for source in plan.sources])
    check_usable(plan)
