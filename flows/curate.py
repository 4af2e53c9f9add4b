"""The whole line as one flow: slides in, a screened release out, a model trained from it, one report."""

from __future__ import annotations

import fcntl
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import flow

from flows.build_graph import build_graph
from flows.close_review import close_review
from flows.config import RunConfig, resolve_config
from flows.draw_demo import draw_demo
from flows.generate_samples import generate_samples
from flows.interruption import heed_interruption
from flows.open_review import open_review
from flows.outcome import finished
from flows.plan import make_plan
from flows.publish_release import publish_release
from flows.run_log import recorded
from flows.screen_leakage import screen_leakage
from flows.tile_slides import tile_slides
from flows.train_model import train_model
from flows.write_report import write_report
from tasks.review.decision_log import collect_log

_log = logging.getLogger(__name__)


@flow(name="curate")
def curate(config: RunConfig | Path) -> str:
    """Run every stage; each does only what is not in the shard store already, and nothing where nothing has changed.

    Args:
        config: a configuration, or the path of its YAML file.

    Returns:
        The fingerprint of the release.
    """
    settings = resolve_config(config)
    draw_demo(settings)
    with decided_by_now(settings) as settings, recorded(settings):
        if outcome := finished(make_plan(settings)):
            _log.info("nothing has changed since the last run")
            return str(outcome["release"]["fingerprint"])
        for stage in (tile_slides, build_graph, generate_samples, screen_leakage, open_review, close_review):
            stage(settings)
            heed_interruption()
        fingerprint: str = publish_release(settings)
        heed_interruption()
        train_model(settings)
        write_report(settings)
    return fingerprint


@contextmanager
def decided_by_now(config: RunConfig) -> Iterator[RunConfig]:
    """Yield a configuration with the decisions as they are now: what annotators decide meanwhile is of the next run."""
    if config.decisions is None:
        collect_log(config.out / "review")
    live = make_plan(config).decisions_file
    work = config.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".decisions-", dir=work) as folder:
        copy = Path(folder) / "decisions.jsonl"
        if live.is_file():
            with live.open("rb") as log:
                fcntl.flock(log, fcntl.LOCK_SH)  # the page adds whole lines under a lock
                copy.write_bytes(log.read())
        yield config.model_copy(update={"decisions": copy})
