from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.screening import lora
from tasks.screening.causal_model import CausalModel, load_model
from tasks.screening.config import LoraConfig
from tasks.screening.forked import Fork
from tasks.screening.items import Floats, Item, panel_of
from tasks.screening.lora_fit import Fit, Texts, in_sets
from tasks.screening.planted import planted_items
from tasks.screening.sheets import sheets_of

pytest.importorskip("peft")


def turned(item: Item, by: int, group: str) -> Item:
    """The same question of another patient, its options at other places."""
    options = (*item.options[by:], *item.options[:by])
    return replace(item, item_id=f"{item.item_id}/{by}", options=options, key=(item.key - by) % 4, group=group)


def test_a_step_that_runs_each_text_and_its_prefix_once_has_the_gradient_of_whole_sequences(tiny_model: Path) -> None:
    config = LoraConfig(model=tiny_model, device="cpu", batch_tokens=200)
    loaded = load_model(config)
    fit = Fit(loaded, config, seed=1)
    with torch.no_grad():
        for weight in fit._weights:
            weight.add_(0.05)
    forks = [Fork((1, *range(5, 9 + i)), tuple((7 + i, 11 + j, *range(9, 10 + j)) for j in range(3))) for i in range(4)]
    before = [np.array([0.1, -0.2, 0.3]) * i for i in range(4)]
    sheets, keys = np.array([2, 0, 2, 3, 2, 1]), np.array([0, 1, 2, 0, 0, 1])
    fit._step(Texts(forks, before), sheets, keys)
    shared = [weight.grad.clone() for weight in fit._weights if weight.grad is not None]
    losses = []
    for sheet, key in zip(sheets, keys, strict=True):
        fork, scores = forks[sheet], []
        for suffix in fork.suffixes:
            whole = torch.tensor([[*fork.prefix, *suffix]])
            log_p = torch.log_softmax(fit.loaded.model(input_ids=whole, use_cache=False).logits[0].float(), dim=1)
            places = torch.arange(len(fork.prefix), whole.shape[1] - 1)
            scores.append(log_p[places, whole[0, places + 1]].sum())
        losses.append(
            torch.nn.functional.cross_entropy(torch.stack(scores) - torch.tensor(before[sheet]), torch.tensor(key))
        )
    alone = torch.autograd.grad(torch.stack(losses).mean(), fit._weights)
    fit.close()
    assert len(shared) == len(alone) > 0
    assert max(float(gradient.abs().max()) for gradient in alone) > 1e-3
    for one, other in zip(shared, alone, strict=True):
        assert torch.allclose(one, other.to(one.dtype), atol=1e-5, rtol=1e-3)


def test_a_balanced_text_has_its_keys_side_by_side_and_what_it_has_too_much_of_one_is_spread() -> None:
    sheets = np.repeat(np.arange(30), 8)
    keys = np.where(sheets < 15, np.tile([0, 1, 2, 3] * 2, 30), np.tile([0, 0, 0, 0, 0, 1, 2, 3], 30))
    order = in_sets(sheets, keys, np.random.default_rng(3))
    assert sorted(order.tolist()) == list(range(240))
    parts = np.split(order, np.flatnonzero(np.diff(sheets[order])) + 1)
    sizes = [[len(part) for part in parts if (sheets[part[0]] < 15) == balanced] for balanced in (True, False)]
    assert set(sizes[0]) <= {4, 8}  # two sets of a text may meet
    assert sum(sizes[0]) == sum(sizes[1]) == 120
    assert sum(size == 1 for size in sizes[1]) > 45  # of 60 keys too many
    alone = in_sets(np.arange(40), np.zeros(40, dtype=np.int64), np.random.default_rng(3))
    assert sorted(alone.tolist()) == list(range(40))
    assert not np.array_equal(alone, np.arange(40))


def test_questions_of_one_text_are_read_once_and_each_option_gets_its_own_score(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = planted_items("word", 0.8, 10, seed=5)
    many = [turned(item, by, f"{item.group}-{by}") for by in range(3) for item in items]
    read: list[int] = []
    reading = lora._read

    def count(loaded: CausalModel, forks: Sequence[Fork], budget: int) -> list[Floats]:
        read.append(len(forks))
        return reading(loaded, forks, budget)

    monkeypatch.setattr(lora, "_read", count)
    panel, fold = panel_of(many), np.tile(np.arange(10) % 2, 3)
    config = LoraConfig(model=tiny_model, device="cpu", epochs=1, learning_rate=1e-2)
    scores = lora.read_lora(panel, fold, config, 0)[1].reshape(3, 10, 4)
    assert sorted(read) == [5, 5, 10]  # all texts before fitting, and those of each fold after it
    assert np.ptp(scores) > 0.01
    for by in (1, 2):
        assert np.array_equal(scores[by], np.roll(scores[0], -by, axis=1))


def test_texts_do_not_hang_on_the_order_of_items() -> None:
    items = planted_items("word", 0.8, 10, seed=5)
    one, other = sheets_of(panel_of(items)), sheets_of(panel_of([turned(item, 1, "p") for item in items[::-1]]))
    assert one.texts == other.texts
    assert np.array_equal(one.of, other.of[::-1])
    assert np.array_equal(one.key, other.key[::-1])
