"""Log-probabilities of texts that follow a prefix: what a causal language model thinks of each option's wording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.screening.causal_model import CausalModel
from tasks.screening.forked import Fork, hidden_states, token_log_p, with_back_off
from tasks.screening.items import Floats

if TYPE_CHECKING:
    import torch


def continuation_fork(loaded: CausalModel, prefix: str, options: Sequence[str]) -> Fork:
    """Return a prefix with the options' texts as suffixes; the prefix's last token opens every suffix."""
    tokens = loaded.start(prefix)
    first = tokens if len(tokens) > 1 else tokens * 2  # a prefix keeps a token when its last one moves to the suffixes
    return loaded.fork(first[:-1], [(first[-1], *loaded.encode(f" {option.strip()}")) for option in options])


def next_log_p(model: Any, forks: Sequence[Fork], fill: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log p of every token that a suffix brings, and the suffix (a row of all forks' suffixes) that each is of.

    Args:
        model: a causal language model of transformers.
        forks: prompts with equally many suffixes.
        fill: token to fill up with.
    """
    import torch

    states = hidden_states(model, forks, fill)
    suffixes = [s for fork in forks for s in fork.suffixes]
    rows = torch.tensor([r for r, s in enumerate(suffixes) for _ in s[1:]], device=states.device)
    places = torch.tensor([p for s in suffixes for p in range(len(s) - 1)], device=states.device)
    targets = torch.tensor([token for s in suffixes for token in s[1:]], device=states.device)
    return token_log_p(model, states[rows, places], targets), rows


def continuation_log_p(loaded: CausalModel, forks: Sequence[Fork], budget: int) -> Iterator[tuple[list[int], Floats]]:
    """Yield (indices, log p of every suffix after its first token (batch, k)), batch by batch."""
    import torch

    fill = forks[0].prefix[0]

    def run(batch: list[int]) -> Floats:
        with torch.inference_mode():
            each, rows = next_log_p(loaded.model, [forks[i] for i in batch], fill)
        k = len(forks[batch[0]].suffixes)
        weights = each.cpu().numpy().astype(np.float64)
        summed = np.bincount(rows.cpu().numpy(), weights=weights, minlength=len(batch) * k)
        return np.asarray(summed.reshape(len(batch), k))

    yield from with_back_off(forks, budget, run)
