from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import InputError, StageFailedError
from tasks.screening.causal_model import CausalModel, load_model
from tasks.screening.config import LanguageModelConfig, Mode, ScreeningConfig
from tasks.screening.forked import Fork, batches, with_back_off
from tasks.screening.items import LETTERS, Item, panel_of
from tasks.screening.language_model import LanguageModelReader, language_model_readers
from tasks.screening.planted import planted_items
from tasks.screening.prompts import DOMAIN, GUESS, cloze_prefix, options_suffix, question_prefix, rotated
from tasks.screening.screen import screen
from tasks.screening.stored_scores import StoredScores

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

MODES: tuple[Mode, ...] = ("letters", "options", "cloze")


def word_tokenizer(texts: list[str]) -> Any:
    """A tokenizer whose tokens are the words, letters and marks of the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    words = {word for text in texts for word, _ in split.pre_tokenize_str(text)} | set(LETTERS)
    vocabulary = {word: place for place, word in enumerate(["<s>", "<unk>", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = split
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")  # noqa: S106


def tiny_llama(vocabulary: int) -> Any:
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
        )
    )


def teach(model: Any, tokenizer: Any, items: list[Item], steps: int) -> None:
    """Teach a model that answers to questions hold the words that keys hold, and texts without a question any words."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=6e-3)
    rows = [f"<s> {cloze_prefix(item.question)} {item.options[item.key]}" for item in items]
    rows += [f"<s> {DOMAIN} {option}" for item in items for option in item.options]
    tokens = [tokenizer.encode(row, add_special_tokens=False) for row in rows]
    draws = np.random.default_rng(0)
    for _ in range(steps):
        chosen = [tokens[place] for place in draws.integers(len(tokens), size=48)]
        width = max(map(len, chosen))
        batch = torch.tensor([row + [1] * (width - len(row)) for row in chosen])
        loss = model(input_ids=batch, labels=batch.masked_fill(batch == 1, -100)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights, saved as any model is."""
    place = tmp_path_factory.mktemp("models") / "tiny"
    items = planted_items("word", 1.0, 200, seed=9)
    texts = [text for item in items for text in (item.question, *item.options)]
    tokenizer = word_tokenizer([*texts, question_prefix(""), cloze_prefix(""), GUESS, DOMAIN, "."])
    model = tiny_llama(len(tokenizer))
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def loaded(folder: Path) -> CausalModel:
    return load_model(LanguageModelConfig(model=folder, device="cpu"))


@pytest.fixture(scope="module")
def mixed() -> list[Item]:
    """Questions of different lengths with two to five options."""
    return [item for k in (2, 4, 5) for item in planted_items("length", 0.5, 7, seed=k, k=k, cell=f"cell {k}")]


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
        return float(sum(found[len(first) - 1 + place, token] for place, token in enumerate(rest)))

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
    assert tried == [8, 4, 2, 2, 4, 2, 2]

    def never(batch: list[int]) -> int:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(StageFailedError, match="a question of 4 tokens does not fit"):
        list(with_back_off(forks, 1000, never))


def test_a_folder_without_a_model_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        load_model(LanguageModelConfig(model=tmp_path))
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "config.json").write_text(json.dumps({"model_type": "no such family"}))
    with pytest.raises(InputError, match="torn cannot be loaded") as caught:
        load_model(LanguageModelConfig(model=torn))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.slow
def test_a_model_that_knows_a_word_is_stopped_by_it_and_a_clean_file_is_not(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "taught"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = tiny_llama(len(tokenizer))
    teach(model, tokenizer, planted_items("word", 1.0, 640, seed=4), steps=120)
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    readers = language_model_readers(LanguageModelConfig(model=place, device="cpu", modes=("cloze",)))
    config = ScreeningConfig(families=("logistic",), certifier=None, permutations=299)
    verdicts = {}
    for leak, strength in (("word", 0.6), ("none", 0.0)):
        found = screen(planted_items(leak, strength, 240, seed=11), config, readers)  # type: ignore[arg-type]
        verdicts[leak] = next(row for row in found.rows if row.reader == "taught cloze")
    assert verdicts["word"].verdict == "fail"
    assert verdicts["word"].accuracy > 0.5
    assert verdicts["none"].verdict != "fail"
    assert verdicts["none"].family == "language_model"
