"""A tuning run in its folder: what it is given, and how it goes on after an interruption."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from schemas.ids import digest
from training.language_model import require
from training.release import Release, Split
from training.tuning_config import TuningConfig

RUN = "run.txt"
"""File of a run's folder that tells which run it is."""
_WRITTEN_LAST = "trainer_state.json"
_FREE = {"save_steps", "tensorboard"}
"""What may differ between a run and its continuation."""


def trl_arguments(kind: Any, config: TuningConfig, out: Path, **more: Any) -> Any:
    """Return TRL's arguments (SFTConfig or GRPOConfig) for a configuration.

    They must be made before the model is loaded: under ZeRO-3 it is then loaded in shards, never whole in one process.

    Raises:
        MissingExtraError: DeepSpeed is asked for and not installed.
        InputError: TRL refuses the configuration: batch x accumulate that is no multiple of generations, for one.
    """
    if config.deepspeed:
        require("deepspeed")
    try:
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
    except ValueError as error:
        raise InputError(f"{kind.__name__}: {error}", remedy="change the configuration") from error


def claim(out: Path, release: Release, split: Split, config: TuningConfig, *more: bool) -> None:
    """Take a folder for a run, or find that it holds the same run, which then continues.

    Args:
        out: the folder; made where missing.
        release: what is trained on.
        split: of the release.
        config: how.
        more: what else must be equal.

    Raises:
        InputError: the folder holds checkpoints or the model of another run.
    """
    file = out / RUN
    identity = digest(type(config).__name__, release.fingerprint, split, config.model_dump(exclude=_FREE), *more)
    begun = any(out.glob("checkpoint-*")) or (out / "model").exists()
    same = not begun or (file.is_file() and file.read_text(encoding="utf-8").strip() == identity)
    if not same:
        raise InputError(
            f"{out.name}/ holds the tuning of another configuration or release",
            remedy="choose another folder, or delete that one",
        )
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(identity + "\n", encoding="utf-8")


def last_checkpoint(out: Path) -> Path | None:
    """Return the last whole checkpoint of a run: one that was cut short lacks the state that is written last."""
    whole = [path.parent for path in out.glob(f"checkpoint-*/{_WRITTEN_LAST}")]
    return max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def run_trainer(trainer: Any, out: Path) -> None:
    """Train, from the last checkpoint where there is one, and save the model; nothing is printed on the way."""
    transformers: Any = importlib.import_module("transformers")
    trainer.remove_callback(transformers.PrinterCallback)
    former = last_checkpoint(out)
    trainer.train(resume_from_checkpoint=None if former is None else str(former))
    trainer.save_model(str(out / "model"))
