"""A language model small enough to be tuned on a CPU within a minute: Qwen2 with random weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

END = "<end>"


def write_tiny_qwen2(folder: Path, texts: Iterable[str], *, words: int = 300, width: int = 32) -> Path:
    """Write a Qwen2 of two layers and a tokenizer of byte pairs learnt from texts, as Hugging Face lays them out.

    Args:
        folder: where to; made where missing.
        texts: what the byte pairs are learnt from.
        words: size of the vocabulary, at least 257.
        width: dimensions of the model.
    """
    import tokenizers
    import torch
    import transformers

    parts: Any = tokenizers
    raw = parts.Tokenizer(parts.models.BPE())
    raw.pre_tokenizer = parts.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = parts.decoders.ByteLevel()
    alphabet = parts.pre_tokenizers.ByteLevel.alphabet()
    learner = parts.trainers.BpeTrainer(
        vocab_size=words, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, learner)
    kinds: Any = transformers
    tokenizer = kinds.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, pad_token=END)
    torch.manual_seed(0)
    settings = kinds.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=0,
        eos_token_id=0,
        bos_token_id=None,
    )
    folder.mkdir(parents=True, exist_ok=True)
    kinds.Qwen2ForCausalLM(settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
