"""The training loop: steps, checkpoints and their resumption, in one process or several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.config import TrainingConfig
from training.feed import Feed
from training.learner import Learner
from training.model import build_model, pick_device
from training.ranks import Ranks
from training.release import Release
from training.run_folder import RunFolder
from training.source import open_source
from training.steps import Losses
from training.text_sampler import TextSampler
from training.texts import TextBook
from training.tokenizer import Tokenizer

Progress = Callable[[int, int, dict[str, float]], None]
"""Called after each optimiser step with the step, the number of steps and the losses."""


class Trainer:
    """A training run in its folder: new, continued, or already finished.

    Args:
        release: what to train on.
        out: the run's folder.
        config: how.
        ranks: this process among those that train together.
        identity: digest of what must be equal for a checkpoint to be continued.

    Raises:
        InputError: the folder holds another run.
    """

    def __init__(self, release: Release, out: Path, config: TrainingConfig, ranks: Ranks, identity: str) -> None:
        self.config, self._ranks = config, ranks
        self.folder = RunFolder(out, identity)
        threads = config.threads or len(os.sched_getaffinity(0))
        torch.set_num_threads(threads)
        device = pick_device(config.device, ranks.local)
        book = TextBook.read(release, "train")
        self._source = open_source(release, "train", config, threads=threads, rank=ranks.rank, ranks=ranks.count)
        self.fields, self.images, self.step = self._source.fields, 0, 0
        self.steps = config.steps or config.epochs * self._source.steps_per_epoch
        self._log: list[dict[str, float]] = []
        self._mean_image: Tensor | None = None
        tokenizer = Tokenizer.fit(book.texts, size=config.vocabulary, limit=config.text_tokens)
        self._words = list(tokenizer.words)
        torch.manual_seed(config.seed)
        model = build_model(config, self._words).to(device)
        if ranks.count > 1 and device.type == "cuda":
            together: Any = torch.nn.SyncBatchNorm
            model = together.convert_sync_batchnorm(model)
        self._learner = Learner(model, [model.tokenize(text) for text in book.texts], config, ranks, device)
        self.clock = self._learner.clock
        sampler = TextSampler(
            book, captions=config.captions, negatives=config.negatives, questions=config.questions, seed=config.seed
        )
        self._feed = Feed(self._source, sampler, ranks, config.accumulate, device)
        self._resume()

    def run(self, progress: Progress | None, deadline: float | None) -> None:
        """Train until all steps are done or the deadline (monotonic seconds) has passed; ends with a checkpoint."""
        begun = self.step
        curves = self.folder.curves(begun) if self.config.tensorboard and self._ranks.first else None
        self._learner.model.train()
        steps = self._feed.steps(self.step, self.steps)
        data = next(steps, None)
        while data is not None:
            losses, present = self._learner.advance(data, self.step, self.steps), data.images.present
            data = next(steps, None)  # while the device works
            values = self._note(losses, present)
            if curves:
                for name, value in values.items():
                    curves.add_scalar(f"train/{name}", value, self.step)
            if progress and self._ranks.first:
                progress(self.step, self.steps, values)
            if any(self._ranks.gather_objects(deadline is not None and time.monotonic() > deadline)):
                break
            if self.step % self.config.checkpoint_steps == 0 and self.step < self.steps:
                self._save()
                self.clock.pause()
        steps.close()
        if self.step > begun:
            if self.step == self.steps:
                self._mean_image = self._learner.mean_image(self._source)
            self._save()
        if curves:
            curves.close()

    def recent(self) -> dict[str, float]:
        """Return the mean losses of the last tenth of the steps."""
        last = self._log[-max(1, self.step // 10) :]
        names = [name for name in (last[0] if last else ()) if name != "step"]
        return {name: sum(row[name] for row in last) / len(last) for name in names}

    def _note(self, losses: list[Losses], present: Tensor) -> dict[str, float]:
        """Wait for the step to be done, and count it."""
        values: dict[str, float] = {}
        for part in losses:
            for name, value in part.values().items():
                values[name] = values.get(name, 0.0) + value / len(losses)
        self.clock.read()
        self.step += 1
        self.images += int(present.sum()) * self._ranks.count
        self._log.append({"step": self.step, **values})
        return values

    def _save(self) -> None:
        state = {
            "config": self.config.model_dump(),
            "words": self._words,
            "step": self.step,
            "images": self.images,
            "model": self._learner.model.state_dict(),
            "optimizer": self._learner.optimizer.state_dict(),
            "mean_image": self._mean_image,
        }
        if self._ranks.first:
            self.folder.save(state, self._log)
        self._ranks.wait()

    def _resume(self) -> None:
        state = self.folder.load()
        self._ranks.wait()
        if state is None:
            return
        self._learner.model.load_state_dict(state["model"])
        self._learner.optimizer.load_state_dict(state["optimizer"])
        self.step, self.images, self._log = state["step"], state["images"], state["log"]
        self._mean_image = state["mean_image"]
