"""The training loop: steps, checkpoints and their resumption, in one process or several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import InputError
from training.clock import StepClock
from training.config import TrainingConfig
from training.encoder import Images
from training.feed import Feed, StepData
from training.model import build_model, pick_device
from training.optimizer import one_cycle, parameter_groups
from training.ranks import Ranks
from training.release import Release
from training.run_folder import RunFolder
from training.source import open_source
from training.steps import Losses, augment, step_losses
from training.texts import TextBatch, TextBook, TextSampler
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
        self._device = pick_device(config.device, ranks.local)
        book = TextBook.read(release, "train")
        self._source = open_source(release, "train", config, threads=threads, rank=ranks.rank, ranks=ranks.count)
        self.fields, self.images, self.step = self._source.fields, 0, 0
        self.steps = config.steps or config.epochs * self._source.steps_per_epoch
        self._log: list[dict[str, float]] = []
        self._mean_image: Tensor | None = None
        tokenizer = Tokenizer.fit(book.texts, size=config.vocabulary, limit=config.text_tokens)
        self._words = list(tokenizer.words)
        torch.manual_seed(config.seed)
        self._model = build_model(config, self._words).to(self._device)
        if ranks.count > 1 and self._device.type == "cuda":
            together: Any = torch.nn.SyncBatchNorm
            self._model = together.convert_sync_batchnorm(self._model)
        self._tokens = [self._model.tokenize(text) for text in book.texts]
        sampler = TextSampler(
            book, captions=config.captions, negatives=config.negatives, questions=config.questions, seed=config.seed
        )
        self._feed = Feed(self._source, sampler, ranks, config.accumulate, self._device)
        self.clock = StepClock(self._device)
        self._optimizer = torch.optim.AdamW(parameter_groups(self._model, config.weight_decay), lr=config.lr)
        self._resume()

    def run(self, progress: Progress | None, deadline: float | None) -> None:
        """Train until all steps are done or the deadline (monotonic seconds) has passed; ends with a checkpoint."""
        begun = self.step
        curves = self.folder.curves(begun) if self.config.tensorboard and self._ranks.first else None
        self._model.train()
        steps = self._feed.steps(self.step, self.steps)
        data = next(steps, None)
        while data is not None:
            losses, present = self._advance(data), data.images.present
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
                self._mean_image = self._mean_of_training_images()
            self._save()
        if curves:
            curves.close()

    def recent(self) -> dict[str, float]:
        """Return the mean losses of the last tenth of the steps."""
        last = self._log[-max(1, self.step // 10) :]
        names = [name for name in (last[0] if last else ()) if name != "step"]
        return {name: sum(row[name] for row in last) / len(last) for name in names}

    def _advance(self, data: StepData) -> list[Losses]:
        """Give the device the work of one step; it may still be at it on return."""
        config = self.config
        self.clock.begin()
        draws = torch.Generator().manual_seed((config.seed * 1_000_003 + self.step) * 1_009 + self._ranks.rank)
        torch.manual_seed(draws.initial_seed())  # of dropout
        whole = data.images.to(self._device)
        images = augment(whole, draws, crop_px=config.crop_px, turn=config.augment, refined=config.refine)
        found = []
        for rows, texts in data.parts:
            seen, said = self._encode(images if rows is None else images.rows(rows), texts)
            found.append(step_losses(seen, said, texts, config, self._model.parts))
            torch.autograd.backward(found[-1].loss / len(data.parts))
        self._ranks.sum_gradients(self._model.parameters())
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = config.lr * one_cycle(self.step / self.steps, config.warmup)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._ranks.average_buffers(self._model)
        self.clock.end()
        return found

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

    def _encode(self, images: Images, texts: TextBatch) -> tuple[Tensor, Tensor]:
        """Return logits of the fields of all processes against all texts, and the texts' vectors, as float32."""
        ranks, model = self._ranks, self._model
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            seen = model.encode_images(images)
            said = model.encode_texts([self._tokens[text] for text in ranks.share(texts.texts)])
        seen, said = ranks.gather(seen.float()), ranks.gather_shares(said.float(), len(texts.texts))
        return ranks.own_part(model.inverse_temperature()).float() * seen @ said.T, said

    @torch.no_grad()
    def _mean_of_training_images(self) -> Tensor:
        self._model.eval()
        total: Tensor | None = None
        for batch in islice(self._source.batches(0), self._source.steps_per_epoch):
            vectors = self._model.encode_images(batch.images.to(self._device)).double().sum(dim=0)
            total = vectors if total is None else total + vectors
        if total is None:
            raise InputError("no training images", remedy="publish a release of more slides")
        return torch.nn.functional.normalize(self._ranks.sum(total), dim=0).float().cpu()

    def _save(self) -> None:
        state = {
            "config": self.config.model_dump(),
            "words": self._words,
            "step": self.step,
            "images": self.images,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
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
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.images, self._log = state["step"], state["images"], state["log"]
        self._mean_image = state["mean_image"]
