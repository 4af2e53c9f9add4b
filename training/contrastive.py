"""Contrastive training: from a release to a checkpoint, interruptible at any point."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.ids import digest
from training.config import TrainingConfig
from training.release import Release

if TYPE_CHECKING:
    from training.trainer import Progress


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training run leaves behind.

    Attributes:
        checkpoint: path of the checkpoint, model and optimiser.
        history: path of the losses, one JSON object per optimiser step.
        steps: optimiser steps done in all.
        finished: all steps are done; false where the time budget ended the run.
        resumed_at: step at which this call went on; 0 for a new run.
        fields: training fields.
        images: images seen in all steps.
        wall_s: time of this call.
        waited: share of the time of its steps that the device waited for the data of the next one.
        losses: mean losses of the last tenth of the steps.
    """

    checkpoint: Path
    history: Path
    steps: int
    finished: bool
    resumed_at: int
    fields: int
    images: int
    wall_s: float
    waited: float
    losses: dict[str, float]


def train_contrastive(
    release: Path | str, out: Path, config: TrainingConfig, progress: Progress | None = None
) -> TrainingResult:
    """Train the encoder of a configuration on the train split of a release.

    A checkpoint of the same configuration and release in `out` is continued, a finished one returned as it is. Under
    torchrun the processes train one model: `batch` counts per process, the loss is that of all their fields together.

    Args:
        release: folder or fsspec address of a release.
        out: folder for `checkpoint.pt` and `history.jsonl`; made where missing.
        config: what to train and how.
        progress: told about every optimiser step: step, number of steps, losses.

    Returns:
        What was done.

    Raises:
        InputError: the release lacks tiles or captions, or `out` holds a checkpoint of another run.

    Determinism: on a CPU, seed, configuration, threads and release fix every bit of the checkpoint; a run that was
    stopped at any point and started again gives the same bits as one that was not.
    """
    from training.model import pick_device
    from training.ranks import Ranks
    from training.trainer import Trainer

    started = time.monotonic()
    source = Release(release)
    ranks = Ranks.join(gpu=pick_device(config.device).type == "cuda")
    trainer = Trainer(source, out, config, ranks, identity=digest(source.fingerprint, config.portable(), ranks.count))
    resumed_at = trainer.step
    trainer.run(progress, deadline=None if config.time_budget_s is None else started + config.time_budget_s)
    return TrainingResult(
        checkpoint=trainer.folder.checkpoint,
        history=trainer.folder.history,
        steps=trainer.step,
        finished=trainer.step == trainer.steps,
        resumed_at=resumed_at,
        fields=trainer.fields,
        images=trainer.images,
        wall_s=time.monotonic() - started,
        waited=trainer.clock.waited,
        losses=trainer.recent(),
    )
