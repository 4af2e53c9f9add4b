"""A language model fitted out of fold by low-rank adapters (Hu et al. 2022): the strongest fitted reader.

An option's score is log p of its text after the question and all options, less what the model gave it before fitting,
so that a reader begins at chance and knows only what other patients' keys taught it. The options stand in the order of
the alphabet: no place tells anything. Fitted by the conditional likelihood of the key among its question's options.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from schemas.errors import MissingExtraError
from schemas.ids import digest
from tasks.screening.causal_model import CausalModel, load_model
from tasks.screening.config import LoraConfig
from tasks.screening.continuations import continuation_fork, continuation_log_p
from tasks.screening.forked import Fork, adjusted, padded, with_back_off
from tasks.screening.items import Floats, Ints, Panel
from tasks.screening.prompts import VERSION, listed_prefix
from tasks.screening.stored_scores import StoredScores

_OF_RUNNING = ("device", "batch_tokens", "scores", "model")  # what does not change the scores, or is in the fingerprint


def _log_p(model: Any, forks: Sequence[Fork], fill: int) -> Any:
    """Return log p (forks, k) of every suffix, with gradients: whole sequences, nothing is kept between them."""
    import torch

    rows = [(*fork.prefix, *suffix) for fork in forks for suffix in fork.suffixes]
    heads = [len(fork.prefix) for fork in forks for _ in fork.suffixes]
    tokens, mask = padded(rows, fill, left=False, device=model.device)
    states = model.base_model(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
    at = [(row, place) for row, head in enumerate(heads) for place in range(head, len(rows[row]) - 1)]
    row, place = torch.tensor(at, device=model.device).T
    logits = adjusted(model.get_output_embeddings()(states[row, place]).float(), model.config)
    targets = tokens[row, place + 1]
    each = logits.gather(1, targets[:, None])[:, 0] - torch.logsumexp(logits, dim=1)
    summed = torch.zeros(len(rows), device=model.device).index_add_(0, row, each)
    return summed.reshape(len(forks), -1)


class _Fit:
    """Adapters on a loaded model, fitted to one training part; the base model is whole again after `close`."""

    def __init__(self, loaded: CausalModel, config: LoraConfig, seed: int) -> None:
        import torch

        peft = import_module("peft")
        adapters = peft.LoraConfig(r=config.rank, lora_alpha=2 * config.rank, target_modules="all-linear")
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is about to go
            torch.manual_seed(seed)
            self._adapted = peft.get_peft_model(loaded.model, adapters)
        self.loaded = replace(loaded, model=self._adapted.base_model.model)
        self.config, self._seed = config, seed
        self._weights = [weight for weight in self._adapted.parameters() if weight.requires_grad]

    def train(self, forks: Sequence[Fork], keys: Ints, reference: Sequence[Floats]) -> None:
        """Fit to questions: forks, the key's place in each, and log p (k,) of their options before fitting."""
        import torch

        config, draws = self.config, np.random.default_rng(self._seed)
        optimiser = torch.optim.AdamW(self._weights, lr=config.learning_rate, weight_decay=0.0)
        size = min(config.step_questions, len(forks))
        steps = config.epochs * -(-len(forks) // size)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(steps, 1))
        for _ in range(config.epochs):
            order = draws.permutation(len(forks))
            for first in range(0, len(order), size):
                self._step([(forks[i], int(keys[i]), reference[i]) for i in order[first : first + size]])
                optimiser.step()
                schedule.step()

    def _step(self, questions: Sequence[tuple[Fork, int, Floats]]) -> None:
        """Leave the mean loss's gradient in the weights; a part that does not fit into memory is halved."""
        import torch

        def run(batch: list[int]) -> Any:
            part = [questions[i] for i in batch]
            before = torch.tensor(np.array([reference for _, _, reference in part]), dtype=torch.float32)
            scores = _log_p(self.loaded.model, [fork for fork, _, _ in part], part[0][0].prefix[0])
            keys = torch.tensor([key for _, key, _ in part], device=scores.device)
            loss = torch.nn.functional.cross_entropy(scores - before.to(scores.device), keys, reduction="sum")
            return torch.autograd.grad(loss / len(questions), self._weights)

        for weight in self._weights:
            weight.grad = torch.zeros_like(weight)
        for _, gradients in with_back_off([fork for fork, _, _ in questions], self.config.batch_tokens, run):
            for weight, gradient in zip(self._weights, gradients, strict=True):
                weight.grad += gradient

    def close(self) -> None:
        """Take the adapters off."""
        self._adapted.unload()


def _read(loaded: CausalModel, forks: Sequence[Fork], budget: int) -> list[Floats]:
    found: list[Floats] = [np.zeros(0)] * len(forks)
    for batch, log_p in continuation_log_p(loaded, forks, budget):
        for i, row in zip(batch, log_p, strict=True):
            found[i] = row
    return found


def _held_out(
    fit: _Fit, forks: Sequence[Fork], keys: Ints, reference: Sequence[Floats], train: list[int], out: list[int]
) -> list[float]:
    """Fit to the items of `train`, and return the scores of the options of `out`."""
    try:
        fit.train([forks[i] for i in train], keys[train], [reference[i] for i in train])
        after = _read(fit.loaded, [forks[i] for i in out], fit.config.batch_tokens)
    finally:
        fit.close()
    return [float(v) for i, row in zip(out, after, strict=True) for v in row - reference[i]]


def read_lora(panel: Panel, fold: Ints, config: LoraConfig, seed: int) -> tuple[str, Floats]:
    """Return the reader's name and its scores (m,), each item read by adapters that never saw its fold.

    A fold that was read before, of the same questions by the same model, is taken from `config.scores`.

    Raises:
        MissingExtraError: peft is not installed.
        InputError: the folder holds no model.
    """
    try:
        import_module("peft")
    except ImportError as error:
        raise MissingExtraError("the LoRA reader needs peft", remedy="pip install -e '.[llm]'") from error
    loaded = load_model(config)
    stored = StoredScores(config.scores)
    forks = [
        continuation_fork(loaded, listed_prefix(item.question, item.options), item.options) for item in panel.items
    ]
    reference: list[Floats] = []
    texts = [digest(item.question, item.options, item.key) for item in panel.items]
    settings = config.model_dump(mode="json", exclude=set(_OF_RUNNING))
    scores = np.zeros(len(panel.of))
    for number in np.unique(fold).tolist():
        held = fold == number
        train = sorted(np.flatnonzero(~held).tolist(), key=lambda i: texts[i])
        out = np.flatnonzero(held).tolist()
        parts = [[texts[i] for i in part] for part in (train, out)]
        key = digest(VERSION, "lora", loaded.fingerprint, settings, seed, parts)
        if key not in stored.known:
            reference = reference or _read(loaded, forks, config.batch_tokens)
            fit = _Fit(loaded, config, seed)
            stored.add([(key, _held_out(fit, forks, panel.key_row - panel.starts, reference, train, out))])
        scores[held[panel.of]] = stored.known[key]
    return f"lora {loaded.name}", scores
