"""A causal language model from a local folder, with its tokenizer and a digest of its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from schemas.errors import InputError, MissingExtraError
from schemas.ids import digest
from tasks.digests import remembered_sha256
from tasks.screening.config import LocalModelConfig
from tasks.screening.forked import Fork
from tasks.screening.items import LETTERS


@dataclass(frozen=True)
class CausalModel:
    """A loaded model with its tokenizer and the digest that stored scores are kept under."""

    model: Any
    tokenizer: Any
    name: str
    fingerprint: str

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text, without special ones."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def start(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text that opens a prompt."""
        first = self.tokenizer.bos_token_id
        return (() if first is None else (int(first),)) + self.encode(text)

    def fork(self, prefix: tuple[int, ...], suffixes: Sequence[tuple[int, ...]]) -> Fork:
        """Return a prefix with its suffixes; of a prefix that is too long for the model the beginning is cut off."""
        longest = getattr(self.model.config, "max_position_embeddings", None)
        room = max(2, longest - max(map(len, suffixes))) if longest else len(prefix)
        kept = prefix if len(prefix) <= room else (prefix[0], *prefix[1 - room :])
        return Fork(kept, tuple(suffixes))

    def letter_tokens(self, count: int) -> list[int]:
        """Return the token of each letter as it follows `Answer:`.

        Raises:
            InputError: the tokenizer has no single token for a letter.
        """
        for form in (" {}", "{}"):
            tokens = [self.encode(form.format(letter)) for letter in LETTERS[:count]]
            if all(len(found) == 1 for found in tokens) and len(set(tokens)) == count:
                return [found[0] for found in tokens]
        raise InputError(f"{self.name} has no single tokens for letters", remedy="use another model")


def model_fingerprint(folder: Path, cache: Path | None = None) -> str:
    """Return a digest of names and bytes of a model's files.

    Args:
        folder: the model's folder.
        cache: folder to remember digests of untouched files in, so that weights are not read for every plan.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return digest([(path.name, remembered_sha256(path, cache)) for path in files])


def load_model(config: LocalModelConfig) -> CausalModel:
    """Load a model from its folder; nothing is ever downloaded.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        InputError: the folder holds no model, or there is no such device.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("language-model readers need torch", remedy="pip install -e '.[llm]'") from error
    folder = config.model
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder.name} holds no model", remedy="name a folder written by save_pretrained")
    progress: Any = import_module("transformers.utils.logging")
    progress.disable_progress_bar()
    device = config.device if config.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"there is no device {device!r} for {folder.name}", remedy="use `device: auto`") from error
    dtype = torch.float32 if device == "cpu" or config.dtype == "float32" else torch.bfloat16
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:120].replace(str(folder), folder.name)
        raise InputError(f"{folder.name} cannot be loaded: {reason}", remedy="give a causal language model") from error
    return CausalModel(model.to(device).eval(), tokenizer, folder.name, f"{model_fingerprint(folder)}/{dtype}")
