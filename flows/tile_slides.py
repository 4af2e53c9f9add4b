"""Flow: slides to fields and tiles, one shard per slide."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.execution import gather, task_runner
from flows.plan import make_plan
from schemas.errors import StageFailedError
from tasks.tiling.task import list_slides, tile

# Reasons for which a whole slide is left out; the shard then counts one item, the slide.
_SLIDE_REASONS = {"unreadable", "not_a_slide", "missing_mpp", "mpp_out_of_range", "no_tissue", "too_small"}


@flow(name="tile-slides")
def tile_slides(config: RunConfig | Path) -> None:
    """Tile every slide of the manifest; slides that cannot be used become rejections.

    Raises:
        StageFailedError: no slide is usable, or a larger share than `tiling.max_failed_share` is not.
    """
    settings = resolve_config(config)
    plan = make_plan(settings)
    list_slides(plan.store, plan.slides, len(plan.sources), plan.rejected)
    with task_runner(settings.runner) as runner:
        futures = [
            runner.submit(tile, {"store": plan.store, "key": key, "source": source, "config": settings.tiling})
            for key, source in zip(plan.tiling, plan.sources, strict=True)
        ]
        shards = gather("tile slides", futures, [source.name for source in plan.sources])
    failed = {row.item_id: row.reason for row in plan.rejected}
    for source, shard in zip(plan.sources, shards, strict=True):
        if reason := next((reason for reason in shard.rejected if reason in _SLIDE_REASONS), None):
            failed[source.name] = reason
    total = len(plan.sources) + len(plan.rejected)
    if len(failed) == total or len(failed) > settings.tiling.max_failed_share * total:
        named = ", ".join(f"{name} ({reason})" for name, reason in list(failed.items())[:5])
        raise StageFailedError(
            f"{len(failed)} of {total} slides cannot be used: {named or 'the folder holds no slides'}",
            remedy="mend them or the manifest, or raise tiling.max_failed_share",
        )
