"""Flow: train the small model from the release, and evaluate it with its blind controls."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.config import DemoConfig, RunConfig, resolve_config
from flows.limits import gpu_slots, slots
from flows.outcome import published
from flows.plan import make_plan
from flows.progress import progress
from schemas.errors import StageFailedError
from tasks.store import ShardInfo, ShardStore, ShardWriter
from training.config import TrainingConfig

_log = logging.getLogger(__name__)


@task(name="train and evaluate", persist_result=False)
def train(store: ShardStore, key: str, release: str, config: TrainingConfig, *, small: bool) -> ShardInfo:
    """Train from a release folder and evaluate on its held-out patients; an interrupted training is taken up again."""
    from training.contrastive import train_contrastive
    from training.evaluate import measure, require_sight

    def make(out: ShardWriter) -> None:
        unfinished = store.root / "training" / key
        with progress("train", 100) as advance:
            result = train_contrastive(release, unfinished, config, lambda step, steps, _: advance(100 * step // steps))
        if not result.finished:
            raise StageFailedError(
                f"training stopped after {result.steps} steps: `training.time_budget_s` is used up",
                remedy="run again to go on from there",
            )
        scores = measure(release, result.checkpoint)
        if not small:
            require_sight(scores)
        for warning in control_warnings(scores):
            _log.warning("%s", warning)
        out.path("evaluation.json").write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")
        out.path("history.jsonl").write_bytes(result.history.read_bytes())
        out.path("model.pt").write_bytes(result.checkpoint.read_bytes())

    return store.ensure("model", key, make)[0]


@flow(name="train-model")
def train_model(config: RunConfig | Path) -> None:
    """Train from what was published and evaluate; the model stands under the key of that release.

    Raises:
        InputError: nothing has been published yet.
        BlindControlError: the model does not beat its blind control; in a demo of few slides this is a warning.
    """
    settings = resolve_config(config)
    if settings.training is None:
        return
    plan = make_plan(settings)
    release = published(plan)
    key = plan.model_of(release.key)
    if plan.store.find("model", key):
        return
    with slots(*gpu_slots(wanted=settings.training.device != "cpu")):
        train(plan.store, key, release.address, settings.training, small=is_small_demo(settings))


def is_small_demo(config: RunConfig) -> bool:
    """Return whether a run is a demo of fewer slides than the default: too few for a model to learn from.

    Its blind control is told, with a warning, and does not fail the run. Every other run's does.
    """
    return config.demo is not None and config.demo.slides < DemoConfig().slides


def control_warnings(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a line for each measure on which the model does not beat its blind control, with the gain's interval."""
    return [
        f"{name.replace('_', ' ')}: the model does not beat its blind control (gain of the image "
        f"{row['difference']:+.2f}, 95% interval {row['interval'][0]:+.2f} to {row['interval'][1]:+.2f})"
        for name, row in sorted(evaluation["beats_blind"].items())
        if not row["beats"]
    ]
