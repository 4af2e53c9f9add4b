"""Prefect tasks of tiling: the inventory of slides, and one shard per slide."""

from __future__ import annotations

from collections.abc import Sequence

# skimage and cv2 load their parts at first use, and two threads that do so at once find them half loaded.
import cv2  # noqa: F401
import skimage.color
import skimage.filters
import skimage.morphology  # noqa: F401
from prefect import task

from schemas.records import Rejection
from tasks.store import ShardInfo, ShardStore, ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import SlideSource
from tasks.tiling.shard import tile_slide


@task(name="list slides", persist_result=False)
def list_slides(store: ShardStore, key: str, usable: int, rejected: Sequence[Rejection]) -> ShardInfo:
    """Record which listed slides cannot even be opened, and why."""

    def make(out: ShardWriter) -> None:
        out.count(items_in=usable + len(rejected), items_out=usable, rejections=rejected)

    return store.ensure("slides", key, make)[0]


@task(name="tile slide", task_run_name="tile {source.name}", persist_result=False)
def tile(store: ShardStore, key: str, source: SlideSource, config: TilingConfig) -> ShardInfo:
    """Tile one slide into fields at every scale."""
    return store.ensure("tiling", key, lambda out: tile_slide(source, config, out))[0]
