"""Between the release's fields and a language model: loading it, wording its prompts, encoding its images."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from schemas.errors import InputError, MissingExtraError
from training.decode import decode_tile
from training.release import Release, Split
from training.tile_index import TileIndex
from training.tuning_config import TuningConfig

PACKAGES = ("transformers", "trl", "datasets", "accelerate")


def import_trainers() -> tuple[Any, Any]:
    """Return the modules `datasets` and `trl`.

    Raises:
        MissingExtraError: one of them, or what they need, is not installed.
    """
    for package in PACKAGES:
        _require(package)
    return importlib.import_module("datasets"), importlib.import_module("trl")


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(f"tuning needs {package}", remedy=f"pip install {package}")


def load_language_model(config: TuningConfig) -> tuple[Any, Any]:
    """Return the model and its processor (a tokenizer, where it sees no images).

    Raises:
        MissingExtraError: a package is not installed.
        InputError: there is no such model.
    """
    _require("transformers")
    import transformers

    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    kind = transformers.AutoModelForImageTextToText if config.images else transformers.AutoModelForCausalLM
    reader = transformers.AutoProcessor if config.images else transformers.AutoTokenizer
    try:
        model = kind.from_pretrained(config.model, dtype=dtype)
        processor = reader.from_pretrained(config.model)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        name = Path(config.model).name
        raise InputError(f"model {name} cannot be loaded: {reason}", remedy="check `model`") from error
    if config.lora_rank:
        _require("peft")
        peft = importlib.import_module("peft")

        adapters = peft.LoraConfig(r=config.lora_rank, lora_alpha=2 * config.lora_rank, target_modules="all-linear")
        model = peft.get_peft_model(model, adapters)
    return model, processor


def trl_arguments(kind: Any, config: TuningConfig, out: Path, **more: Any) -> Any:
    """Return TRL's arguments (SFTConfig or GRPOConfig) for a configuration."""
    return kind(
        output_dir=str(out),
        max_steps=config.steps,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.lr,
        warmup_steps=config.warmup_steps,
        bf16=config.precision == "bf16",
        gradient_checkpointing=config.checkpointing,
        deepspeed=config.deepspeed,
        save_steps=config.save_steps,
        save_total_limit=2,
        logging_steps=1,
        report_to=["tensorboard"] if config.tensorboard else [],
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=config.cpu,
        disable_tqdm=True,
        **more,
    )


def run_trainer(trainer: Any, out: Path) -> None:
    """Train, from the last checkpoint where there is one, and save the model; nothing is printed on the way."""
    transformers: Any = importlib.import_module("transformers")
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=any(out.glob("checkpoint-*")))
    trainer.save_model(str(out / "model"))


class Conversation:
    """Words prompts as the model's chat template has them, and encodes them with the tiles of their field.

    Args:
        release: the release.
        split: its split.
        processor: a tokenizer, or a processor of text and images.
        images: show the field's tiles, low to high, before the text.
        image_px: side of the images.
    """

    def __init__(self, release: Release, split: Split, processor: Any, *, images: bool, image_px: int) -> None:
        self.processor = processor
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self._index = TileIndex(release, split) if images else None
        self._image_px = image_px

    def pictures(self, field_id: str) -> list[Image.Image]:
        """Return the tiles of a field, from low to high scale; empty where the model sees no images."""
        if self._index is None:
            return []
        return [Image.fromarray(decode_tile(data, self._image_px)) for data in self._index.tiles(field_id).values()]

    def messages(self, text: str, field_id: str) -> list[dict[str, Any]]:
        """Return the prompt as one turn of the user, with a place for every picture."""
        if self._index is None:
            return [{"role": "user", "content": text}]
        places: list[dict[str, Any]] = [{"type": "image"} for _ in self._index.tiles(field_id)]
        return [{"role": "user", "content": [*places, {"type": "text", "text": text}]}]

    def prompt(self, text: str, field_id: str) -> str:
        """Return the prompt as text that the model's answer follows; plain text where the model has no template."""
        if getattr(self.processor, "chat_template", None) is None:
            return f"{text}\n"
        prompt: str = self.processor.apply_chat_template(
            self.messages(text, field_id), add_generation_prompt=True, tokenize=False
        )
        return prompt

    def encode(self, text: str, field_id: str) -> dict[str, Any]:
        """Return the token numbers of a prompt as `input_ids`, and the encoded pictures."""
        if self._index is None:
            return {"input_ids": self.tokenizer.encode(text, add_special_tokens=False)}
        encoded = self.processor(text=[text], images=self.pictures(field_id) or None, return_tensors="pt")
        whole = {name: value for name, value in encoded.items() if name != "attention_mask"}
        return {**whole, "input_ids": encoded["input_ids"][0].tolist()}

    def join_images(self, rows: list[dict[str, Any]], length: int) -> dict[str, Tensor]:
        """Return what the processor made of the pictures of several rows, as one batch.

        Per-token columns (same length as the row's tokens) are padded with 0 to `length`; all others, such as pixels
        and grids, are laid end to end.
        """
        joined = {}
        for name in [name for name in rows[0] if name != "input_ids"]:
            values = [row[name] for row in rows]
            per_token = all(value.shape == (1, len(row["input_ids"])) for value, row in zip(values, rows, strict=True))
            if per_token:
                values = [torch.nn.functional.pad(value, (0, length - value.shape[1])) for value in values]
            joined[name] = torch.cat(values)
        return joined
