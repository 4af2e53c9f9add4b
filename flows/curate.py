"""The whole line as one flow: slides in, a screened release out, a model trained from it, one report."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.build_graph import build_graph
from flows.close_review import close_review
from flows.config import RunConfig, resolve_config
from flows.draw_demo import draw_demo
from flows.generate_samples import generate_samples
from flows.interruption import heed_interruption
from flows.open_review import open_review
from flows.publish_release import publish_release
from flows.run_log import recorded
from flows.screen_leakage import screen_leakage
from flows.tile_slides import tile_slides
from flows.train_model import train_model
from flows.write_report import write_report


@flow(name="curate")
def curate(config: RunConfig | Path) -> str:
    """Run every stage; each does only what is not in the shard store already.

    Args:
        config: a configuration, or the path of its YAML file.

    Returns:
        The fingerprint of the release.
    """
    settings = resolve_config(config)
    draw_demo(settings)
    with recorded(settings):
        for stage in (tile_slides, build_graph, generate_samples, screen_leakage, open_review, close_review):
            stage(settings)
            heed_interruption()
        fingerprint: str = publish_release(settings)
        heed_interruption()
        train_model(settings)
        write_report(settings)
    return fingerprint
