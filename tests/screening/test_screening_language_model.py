from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from schemas.errors import InputError, StageFailedError
from tasks.screening.causal_model import CausalModel, load_model, model_fingerprint
from tasks.screening.config import LanguageModelConfig, Mode, ScreeningConfig
from tasks.screening.forked import Fork, batches, row_logits, with_back_off
from tasks.screening.items import Item, panel_of
from tasks.screening.language_model import LanguageModelReader, language_model_readers
from tasks.screening.planted import planted_items
from tasks.screening.prompts import DOMAIN, GUESS, cloze_prefix, options_suffix, question_prefix, rotated
from tasks.screening.screen import screen
from tasks.screening.stored_scores import StoredScores

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

MODES: tuple[Mode, ...] = ("letters", "options", "cloze")


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> CausalModel:
    return load_model(LanguageModelConfig(model=tiny_model, device="cpu"))


@pytest.fixture(scope="module")
def mixed() -> list[Item]:
    """Questions of different lengths with two to five options."""
    return [item for k in (2, 4, 5) for item in planted_items("length", 0.5, 7, seed=k, k=k, cell=f"cell {k}")]


def test_weights_that_change_anywhere_make_another_model(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(4 << 20))
    before = model_fingerprint(tmp_path)
    with weights.open("r+b") as stream:
        stream.seek(2 << 20)
        stream.write(b"trained on")
    assert model_fingerprint(tmp_path) != before


def reader(loaded: CausalModel, mode: Mode, budget: int = 4000, path: Path | None = None) -> LanguageModelReader:
    return LanguageModelReader(loaded, mode, budget, StoredScores(path))


def log_p_of_next(loaded: CausalModel, tokens: tuple[int, ...]) -> Any:
    with torch.inference_mode():
        return torch.log_softmax(loaded.model(input_ids=torch.tensor([tokens])).logits[0].float(), dim=-1)


def naive_letters(loaded: CausalModel, item: Item, *, with_question: bool) -> list[float]:
    """Ask every rotation by itself, whole prompt by whole prompt."""
    k = len(item.options)
    letters = loaded.letter_tokens(5)[:k]
    prefix = loaded.start(question_prefix(item.question) if with_question else GUESS)
    scores = np.zeros(k)
    for turn in range(k):
        found = log_p_of_next(loaded, prefix + loaded.encode(options_suffix(rotated(item.options, turn))))[-1, letters]
        found = torch.log_softmax(found, dim=-1).numpy()
        for option in range(k):
            scores[option] += found[(option + turn) % k] / k
    return list(scores)


def naive_cloze(loaded: CausalModel, item: Item) -> list[float]:
    def worth(prefix: str, option: str) -> float:
        first, rest = loaded.start(prefix), loaded.encode(f" {option}")
        if len(first) == 1:
            first = first * 2
        found = log_p_of_next(loaded, first + rest)
        return sum(float(found[len(first) - 1 + place, token]) for place, token in enumerate(rest))

    return [worth(cloze_prefix(item.question), option) - worth(DOMAIN, option) for option in item.options]


@pytest.mark.parametrize("budget", [64, 100_000])
@pytest.mark.parametrize("mode", MODES)
def test_the_shared_prefix_gives_the_scores_of_whole_prompts(
    loaded: CausalModel, mixed: list[Item], mode: Mode, budget: int
) -> None:
    found = reader(loaded, mode, budget).read(panel_of(mixed))
    expected = [
        naive_cloze(loaded, item) if mode == "cloze" else naive_letters(loaded, item, with_question=mode == "letters")
        for item in mixed
    ]
    assert np.abs(found - np.concatenate(expected)).max() <= 1e-5


@pytest.mark.parametrize("mode", MODES)
def test_turning_the_options_turns_the_scores(loaded: CausalModel, mixed: list[Item], mode: Mode) -> None:
    item = mixed[-1]
    turned = Item("turned", item.question, tuple(rotated(item.options, 2)), 0)
    there, here = (reader(loaded, mode).read(panel_of([one])) for one in (item, turned))
    assert np.allclose(np.roll(there, 2), here, atol=1e-6)


def test_the_reader_without_the_question_does_not_see_it(loaded: CausalModel, mixed: list[Item]) -> None:
    item = mixed[0]
    other = Item("other", "Which finding supports the impression?", item.options, item.key)
    for mode, same in (("options", True), ("letters", False)):
        there, here = (reader(loaded, mode).read(panel_of([one])) for one in (item, other))  # type: ignore[arg-type]
        assert np.array_equal(there, here) == same


def test_what_was_asked_is_not_asked_again_and_a_torn_line_is(
    loaded: CausalModel, mixed: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.jsonl"
    panel = panel_of(mixed)
    first = reader(loaded, "letters", path=path).read(panel)
    lines = path.read_text().splitlines()
    assert len(lines) == len(mixed)
    path.write_text("\n".join(lines[:10]) + "\n" + lines[10][: len(lines[10]) // 2])  # killed in the middle of a line
    asked: list[int] = []
    again = reader(loaded, "letters", path=path)
    ask = LanguageModelReader._ask

    def count(self: LanguageModelReader, items: list[Item]) -> Any:
        asked.append(len(items))
        return ask(self, items)

    monkeypatch.setattr(LanguageModelReader, "_ask", count)
    assert np.allclose(again.read(panel), first, atol=1e-5)
    assert asked == [len(mixed) - 10]
    assert np.allclose(reader(loaded, "letters", path=path).read(panel), first, atol=1e-5)
    assert asked == [len(mixed) - 10]


def test_letters_are_told_apart_more_finely_than_the_weights_type_can() -> None:
    width, words = 64, torch.tensor([3, 5, 7, 9])
    torch.manual_seed(0)
    head = torch.nn.Linear(width, 40, bias=False).to(torch.bfloat16)
    model = SimpleNamespace(get_output_embeddings=lambda: head, config=None)
    states = (60 * torch.randn(50, width)).to(torch.bfloat16)
    exact = (states.double() @ head.weight.double().T)[:, words]
    assert exact.abs().max() > 16
    assert (row_logits(model, states, words) - exact).abs().max() < 1e-3
    assert (row_logits(model, states)[:, words] - exact).abs().max() > 0.02


def test_a_question_that_is_longer_than_the_model_reads_keeps_its_end(loaded: CausalModel, mixed: list[Item]) -> None:
    item = mixed[-1]
    long = Item("long", " ".join([item.question] * 60), item.options, item.key)
    for mode in MODES:
        assert np.isfinite(reader(loaded, mode).read(panel_of([long]))).all()
    fork = loaded.fork((1, *range(5, 900)), [(3,) * 20, (4,)])
    assert len(fork.prefix) + 20 == loaded.model.config.max_position_embeddings
    assert (fork.prefix[0], fork.prefix[-1]) == (1, 899)


def test_batches_hold_every_question_once_within_the_budget() -> None:
    forks = [Fork((1,) * (5 + i % 7), ((2,) * (3 + i % 5),) * (2 + i % 3)) for i in range(50)]
    made = list(batches(forks, 200))
    assert sorted(i for batch in made for i in batch) == list(range(50))
    for batch in made:
        assert len({len(forks[i].suffixes) for i in batch}) == 1
        assert len(batch) == 1 or max(forks[i].padded for i in batch) * len(batch) <= 200


def test_a_batch_that_does_not_fit_into_memory_is_halved() -> None:
    forks = [Fork((1, 2), ((3,), (4,))) for _ in range(8)]
    tried: list[int] = []

    def run(batch: list[int]) -> int:
        tried.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("full")
        return len(batch)

    done = [i for batch, _ in with_back_off(forks, 1000, run) for i in batch]
    assert done == sorted(done) == list(range(8))
    assert tried == [8, 4, 2, 2, 2, 2]  # what did not fit once is not tried again

    def never(batch: list[int]) -> int:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(StageFailedError, match="a question of 4 tokens does not fit"):
        list(with_back_off(forks, 1000, never))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        load_model(LanguageModelConfig(model=tmp_path))
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "config.json").write_text(json.dumps({"model_type": "no such family"}))
    with pytest.raises(InputError, match="no device 'cuda:77'"):
        load_model(LanguageModelConfig(model=torn, device="cuda:77"))
    with pytest.raises(InputError, match="torn cannot be loaded") as caught:
        load_model(LanguageModelConfig(model=torn))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.slow
def test_a_model_that_knows_a_word_is_stopped_by_it_and_a_clean_file_is_not(taught_model: Path) -> None:
    readers = language_model_readers(LanguageModelConfig(model=taught_model, device="cpu", modes=("cloze",)))
    config = ScreeningConfig(families=("logistic",), certifier=None, permutations=299)
    verdicts = {}
    for leak, strength in (("word", 0.6), ("none", 0.0)):
        found = screen(planted_items(leak, strength, 240, seed=11), config, readers)  # type: ignore[arg-type]
        verdicts[leak] = next(row for row in found.rows if row.reader == "taught cloze")
    assert verdicts["word"].verdict == "fail"
    assert verdicts["word"].accuracy > 0.5
    assert verdicts["none"].verdict != "fail"
    assert verdicts["none"].family == "language_model"
