"""A model under training: what one step does to it."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

from schemas.errors import InputError
from training.clock import StepClock
from training.config import TrainingConfig
from training.encoder import DualEncoder, Images
from training.feed import StepData
from training.optimizer import one_cycle, parameter_groups
from training.ranks import Ranks
from training.source import BatchSource
from training.steps import Losses, augment, step_losses
from training.text_sampler import TextBatch


class Learner:
    """A model with its optimiser on a device.

    Args:
        model: on its device.
        tokens: token numbers of every text of the book.
        config: how it is trained.
        ranks: this process among those that train together.
        device: where the model is.
    """

    def __init__(
        self, model: DualEncoder, tokens: list[list[int]], config: TrainingConfig, ranks: Ranks, device: torch.device
    ) -> None:
        self.model, self.clock = model, StepClock(device)
        self.optimizer = torch.optim.AdamW(parameter_groups(model, config.weight_decay), lr=config.lr)
        self._tokens, self._config, self._ranks, self._device = tokens, config, ranks, device

    def advance(self, data: StepData, step: int, steps: int) -> list[Losses]:
        """Give the device the work of a step, counted from 0, of so many; it may still be at it on return."""
        config = self._config
        self.clock.begin()
        draws = torch.Generator().manual_seed((config.seed * 1_000_003 + step) * 1_009 + self._ranks.rank)
        torch.manual_seed(draws.initial_seed())  # of dropout
        whole = data.images.to(self._device)
        images = augment(whole, draws, crop_px=config.crop_px, turn=config.augment, refined=config.refine)
        found = []
        for rows, texts in data.parts:
            seen, said = self._encode(images if rows is None else images.rows(rows), texts)
            found.append(step_losses(seen, said, texts, config, self.model.parts))
            torch.autograd.backward(found[-1].loss / len(data.parts))
        self._ranks.sum_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * one_cycle(step / steps, config.warmup)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._ranks.average_buffers(self.model)
        self.clock.end()
        return found

    def _encode(self, images: Images, texts: TextBatch) -> tuple[Tensor, Tensor]:
        """Return logits of the fields of all processes against all texts, and the texts' vectors, as float32."""
        ranks, model = self._ranks, self.model
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bf16"):
            seen = model.encode_images(images)
            said = model.encode_texts([self._tokens[text] for text in ranks.share(texts.texts)])
        seen, said = ranks.gather(seen.float()), ranks.gather_shares(said.float(), len(texts.texts))
        return ranks.own_part(model.inverse_temperature()).float() * seen @ said.T, said

    @torch.no_grad()
    def mean_image(self, source: BatchSource) -> Tensor:
        """Return the mean vector of an epoch's images, of unit length: what stands for no image at evaluation.

        Raises:
            InputError: there are none.
        """
        self.model.eval()
        total: Tensor | None = None
        for batch in islice(source.batches(0), source.steps_per_epoch):
            vectors = self.model.encode_images(batch.images.to(self._device)).double().sum(dim=0)
            total = vectors if total is None else total + vectors
        if total is None:
            raise InputError("no training images", remedy="publish a release of more slides")
        return torch.nn.functional.normalize(self._ranks.sum(total), dim=0).float().cpu()
