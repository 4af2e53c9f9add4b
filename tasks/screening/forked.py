"""Run a causal language model over prompts that share a prefix: the prefix once, its keys and values forked.

Memory does not grow with vocabulary x length: the output layer is applied to the few positions that are asked for.
Gradients pass through all of it; who only reads says `torch.inference_mode`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.errors import StageFailedError

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")
LOGITS_AT_ONCE = 10_000_000  # per product with the output layer: 40 MB in float32, 66 positions of 150,000 words


@dataclass(frozen=True, slots=True)
class Fork:
    """One prefix (at least one token) and the suffixes that follow it, each with at least one token."""

    prefix: tuple[int, ...]
    suffixes: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> int:
        """Tokens that are run, before padding."""
        return len(self.prefix) + sum(map(len, self.suffixes))

    @property
    def padded(self) -> int:
        """Tokens held in memory when run alone."""
        return len(self.suffixes) * (len(self.prefix) + max(map(len, self.suffixes)))


def batches(forks: Sequence[Fork], budget: int) -> Iterator[list[int]]:
    """Yield indices of forks with equally many suffixes, by falling length, of at most `budget` padded tokens."""
    order = sorted(range(len(forks)), key=lambda i: (len(forks[i].suffixes), -forks[i].padded, i))
    batch: list[int] = []
    for i in order:
        fits = not batch or (
            len(forks[i].suffixes) == len(forks[batch[0]].suffixes)
            and forks[batch[0]].padded * (len(batch) + 1) <= budget
        )
        if not fits:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def with_back_off(
    forks: Sequence[Fork], budget: int, run: Callable[[list[int]], Result]
) -> Iterator[tuple[list[int], Result]]:
    """Yield (indices, result) of every batch; where one does not fit into memory, all that are left are halved.

    Raises:
        StageFailedError: a single question does not fit.
    """
    import torch

    waiting = list(batches(forks, budget))[::-1]
    while waiting:
        batch = waiting.pop()
        try:
            result = run(batch)
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise StageFailedError(
                    f"a question of {forks[batch[0]].tokens} tokens does not fit into the accelerator's memory",
                    remedy="use a smaller model or leave such questions out",
                ) from error
        else:
            yield batch, result
            continue
        torch.cuda.empty_cache()  # here, where nothing holds the failed batch any more
        waiting = [half for each in [*waiting, batch] for half in _halves(each)]


def _halves(batch: list[int]) -> list[list[int]]:
    middle = len(batch) // 2
    return [batch[middle:], batch[:middle]] if middle else [batch]


def padded(rows: Sequence[Sequence[int]], fill: int, *, left: bool, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of tokens filled up to the longest on one side (rows, longest), and which are real."""
    import torch

    width = max(map(len, rows))
    tokens = torch.full((len(rows), width), fill, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        span = slice(width - len(row), width) if left else slice(0, len(row))
        tokens[place, span] = torch.tensor(row, dtype=torch.long)
        mask[place, span] = 1
    return tokens.to(device), mask.to(device)


def hidden_states(model: Any, forks: Sequence[Fork], fill: int) -> torch.Tensor:
    """Return the last layer's states of every suffix (forks x suffixes, longest suffix, width).

    Args:
        model: a causal language model of transformers.
        forks: prompts with equally many suffixes.
        fill: token to fill up with; masked, so any will do.
    """
    import torch
    from transformers import DynamicCache

    body, device, k = model.base_model, model.device, len(forks[0].suffixes)
    tokens, mask = padded([fork.prefix for fork in forks], fill, left=True, device=device)
    places = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    body(input_ids=tokens, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(k)
    tokens, more = padded([s for fork in forks for s in fork.suffixes], fill, left=False, device=device)
    mask = mask.repeat_interleave(k, dim=0)
    places = mask.sum(1, keepdim=True) + torch.arange(tokens.shape[1], device=device)[None]
    out = body(
        input_ids=tokens,
        attention_mask=torch.cat([mask, more], dim=1),
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
    )
    state: torch.Tensor = out.last_hidden_state
    return state


def adjusted(logits: torch.Tensor, config: Any) -> torch.Tensor:
    """Return what some families make of logits after the output layer (Cohere, Granite, Gemma)."""
    import torch

    logits = logits * getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
    cap = getattr(config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def row_logits(model: Any, states: torch.Tensor, words: torch.Tensor | None = None) -> torch.Tensor:
    """Return float32 logits of states (r, width) for all words, or for the given ones only (r, words).

    Of given words the products are taken in float32 as well: logits near 20 stand an eighth apart in bfloat16.
    """
    head = model.get_output_embeddings()
    weight = head.weight if words is None else head.weight[words].float()
    logits = states.to(weight.dtype) @ weight.T
    bias = getattr(head, "bias", None)
    if bias is not None:
        logits = logits + (bias if words is None else bias[words])
    return adjusted(logits.float(), model.config)


def token_log_p(model: Any, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return float32 log p (r,) of each state's next token; the vocabulary is seen by a few rows at a time."""
    import torch

    parts = []
    rows_at_once = max(1, LOGITS_AT_ONCE // len(model.get_output_embeddings().weight))
    for first in range(0, len(targets), rows_at_once):
        rows = slice(first, first + rows_at_once)
        logits = row_logits(model, states[rows])
        parts.append(logits.gather(1, targets[rows, None])[:, 0] - torch.logsumexp(logits, dim=1))
    return torch.cat(parts)
