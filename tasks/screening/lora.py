"""A language model fitted out of fold by low-rank adapters (Hu et al. 2022): the strongest fitted reader.

An option's score is log p of its text after the question and all options, less what the model gave it before fitting,
so that a reader begins at chance and knows only what other patients' keys taught it. The options stand in the order of
the alphabet: no place tells anything. Fitted by the conditional likelihood of the key among its question's options.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from schemas.errors import MissingExtraError
from schemas.ids import digest
from tasks.screening.causal_model import CausalModel, load_model
from tasks.screening.config import LoraConfig
from tasks.screening.continuations import continuation_fork, continuation_log_p, next_log_p
from tasks.screening.forked import Fork, with_back_off
from tasks.screening.items import Floats, Ints, Panel
from tasks.screening.prompts import VERSION, listed_prefix
from tasks.screening.sheets import Sheets, sheets_of
from tasks.screening.stored_scores import StoredScores

SCHEME = "lora 2"  # part of the key of stored scores: raise it when the same settings give other scores
CHUNK = 4  # questions of one text that stand in a step together
_OF_RUNNING = ("device", "batch_tokens", "scores", "model")  # what does not change the scores, or is in the fingerprint


def _in_chunks(sheets: Ints, draws: np.random.Generator) -> Ints:
    """Return the questions (n,) in an order in which those of one text stand together, at most `CHUNK` of them.

    A step runs the text of a chunk once. It holds as many questions as ever, of a quarter as many texts or more.
    """
    order = draws.permutation(len(sheets))
    same = order[np.argsort(sheets[order], kind="stable")]
    first = np.r_[True, np.diff(sheets[same]) > 0]
    within = np.arange(len(same)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    starts = np.flatnonzero(within % CHUNK == 0)
    chunks = np.split(same, starts[1:])
    return np.concatenate([chunks[place] for place in draws.permutation(len(chunks))])


@dataclass(frozen=True)
class Texts:
    """Distinct texts as a model reads them: forks, and log p (k,) of each one's options before fitting."""

    forks: list[Fork]
    reference: list[Floats]


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

    def train(self, texts: Texts, sheets: Ints, keys: Ints) -> None:
        """Fit to questions: the text of each (n,), and the place of the key in it (n,)."""
        import torch

        config, draws = self.config, np.random.default_rng(self._seed)
        optimiser = torch.optim.AdamW(self._weights, lr=config.learning_rate, weight_decay=0.0)
        size = min(config.step_questions, len(sheets))
        steps = config.epochs * -(-len(sheets) // size)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(steps, 1))
        for _ in range(config.epochs):
            order = _in_chunks(sheets, draws)
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


def _read(loaded: CausalModel, forks: Sequence[Fork], budget: int) -> list[Floats]:
    found: list[Floats] = [np.zeros(0)] * len(forks)
    for batch, log_p in continuation_log_p(loaded, forks, budget):
        for i, row in zip(batch, log_p, strict=True):
            found[i] = row
    return found


def _held_out(fit: _Fit, texts: Texts, sheets: Sheets, train: list[int], wanted: Ints) -> dict[int, Floats]:
    """Fit to the items of `train`, and return the scores (k,) of the options of every wanted text."""
    try:
        fit.train(texts, sheets.of[train], sheets.key[train])
        after = _read(fit.loaded, [texts.forks[i] for i in wanted.tolist()], fit.config.batch_tokens)
    finally:
        fit.close()
    return {i: row - texts.reference[i] for i, row in zip(wanted.tolist(), after, strict=True)}


def _texts_of(loaded: CausalModel, sheets: Sheets, budget: int) -> Texts:
    forks = [continuation_fork(loaded, listed_prefix(question, options), options) for question, options in sheets.texts]
    return Texts(forks, _read(loaded, forks, budget))


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
    sheets, texts = sheets_of(panel), None
    names = [digest(item.question, item.options, item.key) for item in panel.items]
    settings = config.model_dump(mode="json", exclude=set(_OF_RUNNING))
    scores = np.zeros(len(panel.of))
    for number in np.unique(fold).tolist():
        held = fold == number
        train = sorted(np.flatnonzero(~held).tolist(), key=lambda i: names[i])
        parts = [[names[i] for i in part] for part in (train, np.flatnonzero(held).tolist())]
        key = digest(VERSION, SCHEME, loaded.fingerprint, settings, seed, parts)
        if key not in stored.known:
            texts = texts or _texts_of(loaded, sheets, config.batch_tokens)
            found = _held_out(_Fit(loaded, config, seed), texts, sheets, train, np.unique(sheets.of[held]))
            flat = sheets.spread(found)
            stored.add([(key, flat[held[panel.of]].tolist())])
        scores[held[panel.of]] = stored.known[key]
    return f"lora {loaded.name}", scores
