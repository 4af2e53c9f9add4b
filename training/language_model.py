"""Loading a language model, text or vision-language, with its processor."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from schemas.errors import InputError, MissingExtraError
from training.tuning_config import TuningConfig

PACKAGES = ("transformers", "trl", "datasets", "accelerate")


def import_trainers() -> tuple[Any, Any]:
    """Return the modules `datasets` and `trl`.

    Raises:
        MissingExtraError: one of them, or what they need, is not installed.
    """
    for package in PACKAGES:
        require(package)
    return importlib.import_module("datasets"), importlib.import_module("trl")


def require(package: str) -> None:
    """Raise where a package is not installed.

    Raises:
        MissingExtraError: it is not.
    """
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(f"tuning needs {package}", remedy=f"pip install {package}")


def attention(config: TuningConfig) -> str | None:
    """Return the kind of attention to load a model with; None leaves it to transformers (PyTorch's own, as a rule)."""
    if config.attention != "auto":
        return config.attention
    utils: Any = importlib.import_module("transformers.utils")
    fits = config.precision == "bf16" and not config.cpu
    return "flash_attention_2" if fits and utils.is_flash_attn_2_available() else None


def load_language_model(config: TuningConfig) -> tuple[Any, Any]:
    """Return the model and its processor (a tokenizer, where it sees no images).

    Raises:
        MissingExtraError: a package is not installed.
        InputError: there is no such model.
    """
    require("transformers")
    import transformers

    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    kind = transformers.AutoModelForImageTextToText if config.images else transformers.AutoModelForCausalLM
    reader = transformers.AutoProcessor if config.images else transformers.AutoTokenizer
    try:
        model = kind.from_pretrained(config.model, dtype=dtype, attn_implementation=attention(config))
        processor = reader.from_pretrained(config.model)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        name = Path(config.model).name
        raise InputError(f"model {name} cannot be loaded: {reason}", remedy="check `model`") from error
    if config.lora_rank:
        require("peft")
        peft = importlib.import_module("peft")

        adapters = peft.LoraConfig(r=config.lora_rank, lora_alpha=2 * config.lora_rank, target_modules="all-linear")
        model = peft.get_peft_model(model, adapters)
    return model, processor
