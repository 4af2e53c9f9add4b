from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.screening import lora as reader
from tasks.screening.config import LoraConfig, ScreeningConfig
from tasks.screening.items import Floats, Item, panel_of
from tasks.screening.lora import read_lora
from tasks.screening.planted import Leak, planted_items
from tasks.screening.screen import screen

pytest.importorskip("peft")


def config_of(folder: Path, **more: object) -> LoraConfig:
    return LoraConfig.model_validate({"model": folder, "device": "cpu", "learning_rate": 1e-2, **more})


@pytest.mark.parametrize(("leak", "verdict"), [("word", "fail"), ("none", "too few")])
def test_adapters_learn_a_planted_word_out_of_fold_and_nothing_from_clean_questions(
    tiny_model: Path, leak: Leak, verdict: str
) -> None:
    config = ScreeningConfig(
        families=("prior",), certifier=None, folds=2, permutations=199, lora=config_of(tiny_model, epochs=1)
    )
    found = screen(planted_items(leak, 0.8, 160 if leak == "word" else 80, seed=3), config)
    row = next(row for row in found.rows if row.reader == "lora tiny")
    assert row.family == "fitted"
    assert row.verdict == verdict
    assert row.accuracy > 0.6 if leak == "word" else abs(row.accuracy - 0.25) < 0.12


def test_a_held_out_key_and_the_order_of_options_change_nothing(tiny_model: Path) -> None:
    items = planted_items("word", 0.8, 12, seed=5)
    turned = [Item(i.item_id, i.question, i.options[::-1], 3 - i.key, i.group) for i in items]
    other = [replace(items[0], key=(items[0].key + 1) % 4), *items[1:]]
    fold = np.arange(12) % 2
    first, back, changed = (
        read_lora(panel_of(made), fold, config_of(tiny_model, epochs=1), 0)[1].reshape(12, 4)
        for made in (items, turned, other)
    )
    assert np.array_equal(first[0], changed[0])
    assert not np.array_equal(first[1], changed[1])
    assert np.allclose(first, back[:, ::-1], atol=2e-3)


def test_a_fold_that_was_read_is_not_fitted_again_and_a_larger_batch_changes_no_score(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, fold = panel_of(planted_items("word", 0.8, 12, seed=5)), np.arange(12) % 2
    config = config_of(tiny_model, epochs=1, scores=tmp_path / "scores.jsonl", batch_tokens=64)
    whole = read_lora(panel, fold, config_of(tiny_model, epochs=1), 0)[1]
    fitted: list[int] = []
    read = reader._held_out

    def stop_after_one(*arguments: object) -> dict[int, Floats]:
        fitted.append(1)
        if len(fitted) == 2:
            raise KeyboardInterrupt
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "_held_out", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        read_lora(panel, fold, config, 0)
    again = read_lora(panel, fold, config, 0)[1]
    assert len(fitted) == 3  # one before it was stopped, the one that was stopped, and that one again
    assert np.allclose(again, whole, atol=2e-3)
