"""Flow: train the small model from the release, and evaluate it with its blind controls."""

from __future__ import annotations

import json
from pathlib import Path

from prefect import flow, task

from flows.config import RunConfig, resolve_config
from flows.limits import gpu_slots, slots
from flows.plan import make_plan
from flows.progress import progress
from tasks.store import ShardInfo, ShardStore, ShardWriter
from training.config import TrainingConfig


@task(name="train and evaluate", persist_result=False)
def train(store: ShardStore, key: str, release: str, config: TrainingConfig) -> ShardInfo:
    """Train from a release folder and evaluate on its held-out patients; an interrupted training is taken up again."""
    from training.contrastive import train_contrastive
    from training.evaluate import evaluate

    def make(out: ShardWriter) -> None:
        unfinished = store.root / "training" / key
        with progress("train", 100) as advance:
            result = train_contrastive(release, unfinished, config, lambda step, steps, _: advance(100 * step // steps))
        scores = evaluate(release, result.checkpoint)
        out.path("evaluation.json").write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")
        out.path("history.jsonl").write_bytes(result.history.read_bytes())
        out.path("model.pt").write_bytes(result.checkpoint.read_bytes())

    return store.ensure("model", key, make)[0]


@flow(name="train-model")
def train_model(config: RunConfig | Path) -> None:
    """Train and evaluate.

    Raises:
        BlindControlError: the model does not beat its blind control.
    """
    settings = resolve_config(config)
    if settings.training is None:
        return
    plan = make_plan(settings)
    if plan.store.find("model", plan.model):
        return
    with slots(*gpu_slots(wanted=settings.training.device != "cpu")):
        train(plan.store, plan.model, plan.release_address, settings.training)
