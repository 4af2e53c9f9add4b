"""Low-rank adapters on a language model, fitted by the likelihood of the key among its question's options."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from tasks.screening.causal_model import CausalModel
from tasks.screening.config import LoraConfig
from tasks.screening.continuations import next_log_p
from tasks.screening.forked import Fork, with_back_off
from tasks.screening.items import Floats, Ints

_ONE_AT_A_TIME = threading.Lock()  # torch has one generator of random numbers for all threads


def _turns(numbers: Ints) -> Ints:
    """Return how often each number (n,) stood before, from 0."""
    order = np.argsort(numbers, kind="stable")
    first = np.r_[True, np.diff(numbers[order]) > 0]
    turns = np.empty(len(numbers), dtype=np.int64)
    turns[order] = np.arange(len(numbers)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    return turns


def in_sets(sheets: Ints, keys: Ints, draws: np.random.Generator) -> Ints:
    """Return the questions (n,) in an order drawn at random, those of one text with each another key side by side.

    A step runs a text once for all of its questions, and holds as many questions as in any order. A text whose keys are
    balanced pulls nowhere while a reader is at chance: to have its keys together takes noise out of the step. What a
    text has more of one key than of the others, which is what can be learnt, is spread over the steps.
    """
    order = draws.permutation(len(sheets))
    turns = _turns(sheets[order] * (int(keys.max()) + 1) + keys[order])
    _, sets = np.unique(sheets[order] * len(sheets) + turns, return_inverse=True)
    places = draws.permutation(int(sets.max()) + 1)
    return np.asarray(order[np.argsort(places[sets], kind="stable")])


@dataclass(frozen=True)
class Texts:
    """Distinct texts as a model reads them: forks, and log p (k,) of each one's options before fitting."""

    forks: list[Fork]
    reference: list[Floats]


class Fit:
    """Adapters on a loaded model, fitted to one training part; the base model is whole again after `close`."""

    def __init__(self, loaded: CausalModel, config: LoraConfig, seed: int) -> None:
        """Lay adapters on a model, the same ones for the same seed."""
        import torch

        peft = import_module("peft")
        adapters = peft.LoraConfig(r=config.rank, lora_alpha=2 * config.rank, target_modules="all-linear")
        with _ONE_AT_A_TIME, torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is about to go
            torch.manual_seed(seed)
            self._adapted = peft.get_peft_model(loaded.model, adapters)
        self.loaded = replace(loaded, model=self._adapted.base_model.model)
        self.config, self._seed = config, seed
        self._weights = [weight for weight in self._adapted.parameters() if weight.requires_grad]

    def train(self, texts: Texts, sheets: Ints, keys: Ints) -> None:
        """Fit to questions: the text of each (n,), and the place of the key in it (n,)."""
        import torch

        config, draws = self.config, np.random.default_rng(self._seed)
        optimiser = torch.optim.AdamW(self._weights, lr=config.learning_rate, weight_decay=0.0)
        size = min(config.step_questions, len(sheets))
        steps = config.epochs * -(-len(sheets) // size)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(steps, 1))
        for _ in range(config.epochs):
            order = in_sets(sheets, keys, draws)
            for first in range(0, len(order), size):
                step = order[first : first + size]
                self._step(texts, sheets[step], keys[step])
                optimiser.step()
                schedule.step()

    def _step(self, texts: Texts, sheets: Ints, keys: Ints) -> None:
        """Leave the mean loss's gradient in the weights; a part that does not fit into memory is halved."""
        import torch

        present, text = np.unique(sheets, return_inverse=True)
        forks = [texts.forks[i] for i in present.tolist()]

        def run(batch: list[int]) -> Any:
            each, rows = next_log_p(self.loaded.model, [forks[i] for i in batch], forks[0].prefix[0])
            k = len(forks[batch[0]].suffixes)
            summed = torch.zeros(len(batch) * k, device=each.device).index_add_(0, rows, each)
            before = torch.tensor(np.array([texts.reference[present[i]] for i in batch]), dtype=torch.float32)
            scores = summed.reshape(len(batch), k) - before.to(each.device)
            asked = [(row, key) for row, i in enumerate(batch) for key in keys[text == i].tolist()]
            row, key = torch.tensor(asked, device=each.device).T
            loss = torch.nn.functional.cross_entropy(scores[row], key, reduction="sum")
            return torch.autograd.grad(loss / len(sheets), self._weights)

        for weight in self._weights:
            weight.grad = torch.zeros_like(weight)
        for _, gradients in with_back_off(forks, self.config.batch_tokens, run):
            for weight, gradient in zip(self._weights, gradients, strict=True):
                weight.grad += gradient

    def close(self) -> None:
        """Take the adapters off."""
        self._adapted.unload()
