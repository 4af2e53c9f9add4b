"""Supervised fine-tuning on trajectories whose first steps are given and masked, through TRL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import InputError
from training.conversation import Conversation
from training.instruct import IGNORED, INSTRUCTION, masked_row
from training.language_model import import_trainers, load_language_model
from training.release import Release, Split
from training.trajectory import trajectory_of
from training.tuning_config import SftConfig
from training.tuning_run import claim, run_trainer, trl_arguments


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What a tuning run leaves behind.

    Attributes:
        model: folder of the tuned model.
        rows: training rows or prompts.
        left_out: rows that were too long.
        history: what the trainer logged, step by step.
        unjudged: completions without the judge's score, which were rewarded by the other parts.
    """

    model: Path
    rows: int
    left_out: int
    history: list[dict[str, float]]
    unjudged: int = 0


def train_sft(release: Path | str, out: Path, config: SftConfig, *, split: Split = "train") -> TuningResult:
    """Tune a language model on a release's reasoning samples.

    For a trajectory of L steps there are L rows: the prompt and the first m steps are given, the loss is that of the
    rest and the answer (PathReasoner). The images of the field stand before the prompt where the model sees images.

    Raises:
        MissingExtraError: transformers, TRL or datasets are not installed.
        InputError: the release has no reasoning samples that fit, or `out` holds another run.

    Determinism: on a CPU an interrupted run that is started again ends with the same bits as one left alone.
    """
    datasets, trl = import_trainers()
    source = Release(release)
    claim(out, source, split, config)
    arguments = trl_arguments(
        trl.SFTConfig,
        config,
        out,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
    )
    model, processor = load_language_model(config)
    conversation = Conversation(source, split, processor, images=config.images, image_px=config.image_px)
    rows, left_out = _rows(source, split, conversation, config)
    if not rows:
        raise InputError(
            f"no reasoning sample of the {split} split fits in {config.tokens} tokens", remedy="raise tokens"
        )
    trainer = trl.SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=processor,
        data_collator=TrajectoryCollator(conversation),
    )
    run_trainer(trainer, out)
    return TuningResult(out / "model", len(rows), left_out, trainer.state.log_history)


def _rows(
    release: Release, split: Split, conversation: Conversation, config: SftConfig
) -> tuple[list[dict[str, Any]], int]:
    rows, left_out = [], 0
    for sample in release.read("reasoning", split, ["field_id", "prompt", "observe", "think", "answer"]).to_pylist():
        trajectory = trajectory_of(sample)
        for given in range(len(trajectory.think)):
            head, tail = trajectory.split(given)
            prompt = conversation.prompt(f"{sample['prompt']}\n{INSTRUCTION}", sample["field_id"])
            room = config.tokens - conversation.image_tokens(prompt, sample["field_id"])
            row = masked_row(conversation.tokenizer, prompt + head, tail, room)
            if row is None:
                left_out += 1
            else:
                rows.append({"field_id": sample["field_id"], "given": prompt + head, "learnt": tail})
    return rows, left_out


class TrajectoryCollator:
    """Rows of text (and their fields' images) to padded tensors, with labels on the learnt part alone."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Return `input_ids`, `attention_mask`, `labels` and what the processor makes of the images.

        Shapes:
            (B, L) for the first three.
        """
        end = self._conversation.tokenizer.eos_token or ""
        encoded = [
            (
                self._conversation.encode(row["given"], row["field_id"]),
                self._conversation.tokenizer.encode(row["learnt"] + end, add_special_tokens=False),
            )
            for row in rows
        ]
        longest = max(len(given["input_ids"]) + len(learnt) for given, learnt in encoded)
        padding = self._conversation.tokenizer.pad_token_id or 0
        batch: dict[str, list[Any]] = {"input_ids": [], "attention_mask": [], "labels": []}
        for given, learnt in encoded:
            head = given["input_ids"]
            spare = longest - len(head) - len(learnt)
            batch["input_ids"].append(head + learnt + [padding] * spare)
            batch["attention_mask"].append([1] * (longest - spare) + [0] * spare)
            batch["labels"].append([IGNORED] * len(head) + learnt + [IGNORED] * spare)
        tensors = {name: torch.tensor(values) for name, values in batch.items()}
        return tensors | self._conversation.join_images([given for given, _ in encoded], longest)
