"""Small language models that stand in for large ones: same files, same code path, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.screening.items import LETTERS, Item
from tasks.screening.planted import planted_items
from tasks.screening.prompts import DOMAIN, GUESS, cloze_prefix, listed_prefix, question_prefix


def word_tokenizer(texts: list[str]) -> Any:
    """A tokenizer whose tokens are the words, letters and marks of the texts."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    words = {word for text in texts for word, _ in split.pre_tokenize_str(text)} | set(LETTERS)
    vocabulary = {word: place for place, word in enumerate(["<s>", "<unk>", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = split
    fast: Any = transformers.PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")  # noqa: S106


def tiny_llama(vocabulary: int) -> Any:
    import torch
    import transformers

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
    import torch

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


def save(model: Any, tokenizer: Any, place: Path) -> Path:
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights, saved as any model is."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    items = planted_items("word", 1.0, 200, seed=9)
    texts = [text for item in items for text in (item.question, *item.options)]
    tokenizer = word_tokenizer([*texts, question_prefix(""), cloze_prefix(""), listed_prefix("", ["."]), GUESS, DOMAIN])
    return save(tiny_llama(len(tokenizer)), tokenizer, tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def taught_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that has learned which word keys hold."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    model = tiny_llama(len(tokenizer))
    teach(model, tokenizer, planted_items("word", 1.0, 320, seed=4), steps=60)
    return save(model, tokenizer, tmp_path_factory.mktemp("models") / "taught")
