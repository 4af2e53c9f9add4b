"""Language-model readers: any local causal model through transformers, on a GPU or the CPU.

Three ways to ask, each a reader:
`letters`: the option letters' logits under all cyclic rotations, averaged per option, so that a liking for a letter
cancels; `options`: the same without the question; `cloze`: the options' text after the question, less its own worth
(PMI-DC, Holtzman et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.ids import digest
from tasks.screening.causal_model import CausalModel, load_model
from tasks.screening.config import LanguageModelConfig, Mode
from tasks.screening.continuations import continuation_fork, continuation_log_p
from tasks.screening.forked import Fork, hidden_states, row_logits, with_back_off
from tasks.screening.items import Floats, Item, Panel
from tasks.screening.prompts import (
    DOMAIN,
    GUESS,
    VERSION,
    cloze_prefix,
    options_suffix,
    question_prefix,
    rotated,
)
from tasks.screening.stored_scores import StoredScores

FAMILY = "language_model"
_CUES: dict[Mode, str] = {"letters": "world knowledge", "options": "", "cloze": "world knowledge"}
Asked = tuple[Item, list[float]]


def _letter_forks(loaded: CausalModel, items: Sequence[Item], with_question: bool) -> list[Fork]:
    return [
        loaded.fork(
            loaded.start(question_prefix(item.question) if with_question else GUESS),
            [loaded.encode(options_suffix(rotated(item.options, turn))) for turn in range(len(item.options))],
        )
        for item in items
    ]


def _ask_letters(
    loaded: CausalModel, items: Sequence[Item], budget: int, *, with_question: bool
) -> Iterator[list[Asked]]:
    """Yield each batch's items with mean log p of every option's letter over all rotations."""
    import torch

    forks = _letter_forks(loaded, items, with_question)
    letters = loaded.letter_tokens(max(len(item.options) for item in items))
    fill = letters[0]

    def run(batch: list[int]) -> list[Asked]:
        part = [forks[i] for i in batch]
        k = len(part[0].suffixes)
        with torch.inference_mode():
            states = hidden_states(loaded.model, part, fill)
            last = torch.tensor([len(s) - 1 for fork in part for s in fork.suffixes], device=states.device)
            words = torch.tensor(letters[:k], device=states.device)
            logits = row_logits(loaded.model, states[torch.arange(len(last), device=states.device), last], words)
        log_p = torch.log_softmax(logits, dim=1).reshape(len(part), k, k).cpu().numpy().astype(np.float64)
        turns = np.arange(k)
        return [
            (items[i], [float(log_p[row, turns, (option + turns) % k].mean()) for option in range(k)])
            for row, i in enumerate(batch)
        ]

    for _, asked in with_back_off(forks, budget, run):
        yield asked


def _ask_cloze(loaded: CausalModel, items: Sequence[Item], budget: int) -> Iterator[list[Asked]]:
    """Yield each batch's items with log p(option | question) - log p(option) of every option."""
    texts = list(dict.fromkeys(option for item in items for option in item.options))
    alone = [continuation_fork(loaded, DOMAIN, [text]) for text in texts]
    worth: dict[str, float] = {}
    for batch, found in continuation_log_p(loaded, alone, budget):
        worth.update((texts[i], float(value)) for i, value in zip(batch, found[:, 0], strict=True))
    asked = [continuation_fork(loaded, cloze_prefix(item.question), item.options) for item in items]
    for batch, found in continuation_log_p(loaded, asked, budget):
        yield [
            (items[i], [float(v) - worth[text] for v, text in zip(row, items[i].options, strict=True)])
            for i, row in zip(batch, found, strict=True)
        ]


@dataclass(frozen=True)
class LanguageModelReader:
    """One way of asking a model; a `TextReader`."""

    loaded: CausalModel
    mode: Mode
    batch_tokens: int
    stored: StoredScores

    @property
    def name(self) -> str:
        """Model and way of asking."""
        return f"{self.loaded.name} {self.mode}"

    @property
    def family(self) -> str:
        """Readers that know the language but were not fitted."""
        return FAMILY

    @property
    def cue(self) -> str:
        """What an answer without the image then rests on."""
        return _CUES[self.mode]

    def _key(self, item: Item) -> str:
        question = "" if self.mode == "options" else item.question
        return digest(VERSION, self.loaded.fingerprint, self.mode, question, item.options)

    def read(self, panel: Panel) -> Floats:
        """Return scores (m,); only questions that were never asked are run."""
        keys = [self._key(item) for item in panel.items]
        missing = {key: item for key, item in zip(keys, panel.items, strict=True) if key not in self.stored.known}
        if missing:
            for asked in self._ask(list(missing.values())):
                self.stored.add([(self._key(item), scores) for item, scores in asked])
        return np.concatenate([np.array(self.stored.known[key]) for key in keys])

    def _ask(self, items: Sequence[Item]) -> Iterator[list[Asked]]:
        ways: dict[Mode, Callable[[], Iterator[list[Asked]]]] = {
            "letters": lambda: _ask_letters(self.loaded, items, self.batch_tokens, with_question=True),
            "options": lambda: _ask_letters(self.loaded, items, self.batch_tokens, with_question=False),
            "cloze": lambda: _ask_cloze(self.loaded, items, self.batch_tokens),
        }
        return ways[self.mode]()


def language_model_readers(config: LanguageModelConfig) -> list[LanguageModelReader]:
    """Return one reader per configured way of asking, all with the same loaded model."""
    loaded = load_model(config)
    stored = StoredScores(config.scores)
    return [LanguageModelReader(loaded, mode, config.batch_tokens, stored) for mode in config.modes]
