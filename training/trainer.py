"""The training loop: steps, checkpoints and their resumption."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import InputError
from training.config import TrainingConfig
from training.encoder import Images
from training.loader import FieldBatch
from training.model import CHECKPOINT, FORMAT, build_model, pick_device, read_checkpoint
from training.release import Release
from training.source import open_source
from training.steps import augment, one_cycle, step_losses
from training.texts import TextBook, TextSampler
from training.tokenizer import Tokenizer

HISTORY = "history.jsonl"
Progress = Callable[[int, int, dict[str, float]], None]
"""Called after each optimiser step with the step, the number of steps and the losses."""


class Trainer:
    """A training run in its folder: new, continued, or already finished.

    Args:
        release: what to train on.
        out: the run's folder.
        config: how.
        identity: digest of what must be equal for a checkpoint to be continued.

    Raises:
        InputError: the folder holds another run.
    """

    def __init__(self, release: Release, out: Path, config: TrainingConfig, identity: str) -> None:
        self.config, self._out, self._identity = config, out, identity
        self.checkpoint, self.history = out / CHECKPOINT, out / HISTORY
        threads = config.threads or len(os.sched_getaffinity(0))
        torch.set_num_threads(threads)
        self._device = pick_device(config.device)
        self._book = TextBook.read(release, "train")
        self._source = open_source(release, "train", config, threads=threads)
        self.fields, self.images, self.step = self._source.fields, 0, 0
        self.steps = config.steps or config.epochs * self._source.steps_per_epoch
        self._log: list[dict[str, float]] = []
        self._mean_image: Tensor | None = None
        tokenizer = Tokenizer.fit(self._book.texts, size=config.vocabulary, limit=config.text_tokens)
        self._words = list(tokenizer.words)
        torch.manual_seed(config.seed)
        self._model = build_model(config, self._words).to(self._device)
        self._tokens = [self._model.tokenize(text) for text in self._book.texts]
        self._sampler = TextSampler(
            self._book,
            captions=config.captions,
            negatives=config.negatives,
            questions=config.questions,
            seed=config.seed,
        )
        self._optimizer = torch.optim.AdamW(_groups(self._model, config.weight_decay), lr=config.lr)
        self._resume()

    def run(self, progress: Progress | None, deadline: float | None) -> None:
        """Train until all steps are done or the deadline (monotonic seconds) has passed; ends with a checkpoint."""
        begun = self.step
        self._model.train()
        for batch in islice(self._source.batches(self.step), self.steps - self.step):
            values = self._advance(batch)
            if progress:
                progress(self.step, self.steps, values)
            if deadline is not None and time.monotonic() > deadline:
                break
            if self.step % self.config.checkpoint_steps == 0 and self.step < self.steps:
                self._save()
        if self.step > begun:
            if self.step == self.steps:
                self._mean_image = self._mean_of_training_images()
            self._save()

    def recent(self) -> dict[str, float]:
        """Return the mean losses of the last tenth of the steps."""
        last = self._log[-max(1, self.step // 10) :]
        names = [name for name in (last[0] if last else ()) if name != "step"]
        return {name: sum(row[name] for row in last) / len(last) for name in names}

    def _advance(self, batch: FieldBatch) -> dict[str, float]:
        config = self.config
        draws = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        images = augment(batch.images, draws, crop_px=config.crop_px, turn=config.augment)
        parts = config.accumulate
        values: dict[str, float] = {}
        for part in range(parts):
            rows = range(part, len(batch.field_ids), parts)
            texts = self._sampler.draw([batch.field_ids[row] for row in rows], self.step * parts + part)
            pixels, present = (side[list(rows)].to(self._device) for side in (images.pixels, images.present))
            with torch.autocast(self._device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                logits = self._model(Images(pixels, present), [self._tokens[text] for text in texts.texts])
            losses = step_losses(logits.float(), texts, config)
            torch.autograd.backward(losses.loss / parts)
            for name, value in losses.values().items():
                values[name] = values.get(name, 0.0) + value / parts
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = config.lr * one_cycle(self.step / self.steps, config.warmup)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.images += int(images.present.sum())
        self._log.append({"step": self.step, **values})
        return values

    @torch.no_grad()
    def _mean_of_training_images(self) -> Tensor:
        self._model.eval()
        total: Tensor | None = None
        for batch in islice(self._source.batches(0), self._source.steps_per_epoch):
            images = Images(batch.images.pixels.to(self._device), batch.images.present.to(self._device))
            vectors = self._model.encode_images(images).double().sum(dim=0)
            total = vectors if total is None else total + vectors
        if total is None:
            raise InputError("no training images", remedy="publish a release of more slides")
        return torch.nn.functional.normalize(total, dim=0).float().cpu()

    def _save(self) -> None:
        state = {
            "format": FORMAT,
            "identity": self._identity,
            "config": self.config.model_dump(),
            "words": self._words,
            "step": self.step,
            "images": self.images,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "log": self._log,
            "mean_image": self._mean_image,
        }
        lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in self._log)
        _replace(self.history, lambda path: path.write_text(lines))
        _replace(self.checkpoint, lambda path: torch.save(state, path))

    def _resume(self) -> None:
        if not self.checkpoint.is_file():
            return
        state = read_checkpoint(self.checkpoint)
        if state["identity"] != self._identity:
            raise InputError(
                f"{self._out.name}/ holds the checkpoint of another configuration or release",
                remedy="choose another folder, or delete that one",
            )
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.images, self._log = state["step"], state["images"], state["log"]
        self._mean_image = state["mean_image"]


def _groups(model: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Matrices and filters decay; biases, norms, embeddings' places and the temperature do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all: a kill leaves the former one."""
    draft = path.with_name(f".{path.name}.draft")
    write(draft)
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.replace(path)
