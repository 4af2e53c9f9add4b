"""From a configuration to a model, and from a checkpoint back to one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import FileFormatError, InputError
from training.config import TrainingConfig
from training.encoder import DualEncoder
from training.front_end import blocks
from training.small_encoder import SmallDualEncoder
from training.tokenizer import Tokenizer

CHECKPOINT = "checkpoint.pt"
FORMAT = 2


def build_model(config: TrainingConfig, words: list[str]) -> DualEncoder:
    """Return the untrained (or, through open_clip, pretrained) model of a configuration; seeded by the caller.

    Args:
        config: names the encoder and its sizes.
        words: vocabulary of the small text encoder; not used by open_clip models.
    """
    if config.encoder != "small":
        from training.open_clip_encoder import OpenClipDualEncoder

        return OpenClipDualEncoder(config.encoder, config.pretrained, temperature=config.temperature)
    return SmallDualEncoder(
        Tokenizer(tuple(words), config.text_tokens),
        width=config.width,
        described=blocks() if config.described else (),
        embedding=config.embedding,
        crop_px=config.crop_px,
        dropout=config.dropout,
        text_width=config.text_width,
        text_layers=config.text_layers,
        temperature=config.temperature,
    )


def pick_device(name: str, local: int = 0) -> torch.device:
    """Return the device of a configuration; `auto` takes the GPU of this process where there is one.

    Raises:
        InputError: a GPU is asked for and there is none.
    """
    if name == "auto":
        return torch.device(f"cuda:{local}" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {name} is asked for, but PyTorch sees no GPU", remedy="set device: auto")
    return torch.device(name)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds; only tensors and plain values are accepted, never code.

    Raises:
        InputError: there is no checkpoint.
        FileFormatError: it is torn or of another format.
    """
    file = path / CHECKPOINT if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"no checkpoint at {file.name}", remedy="train first, or name the folder of a trained model")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise FileFormatError(f"{file.name} is torn", remedy="delete it and train again") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise FileFormatError(f"{file.name} is not a checkpoint of this version", remedy="train again")
    return state


def load_model(path: Path, device: str = "auto") -> tuple[DualEncoder, TrainingConfig, Tensor | None]:
    """Return a trained model in evaluation mode, its configuration, and the mean image vector of its training split."""
    state = read_checkpoint(path)
    config = TrainingConfig.model_validate(state["config"])
    model = build_model(config, state["words"])
    model.load_state_dict(state["model"])
    return model.to(pick_device(device)).eval(), config, state["mean_image"]
