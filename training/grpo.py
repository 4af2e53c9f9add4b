"""Group-relative policy optimisation on a release's questions or reasoning samples, through TRL."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from training.conversation import Conversation, import_trainers, load_language_model, run_trainer, trl_arguments
from training.instruct import question_prompts, reasoning_prompts
from training.release import Release, Split
from training.rewards import EntityReward, Judge, question_reward, reasoning_reward
from training.sft import TuningResult
from training.tuning_config import GrpoConfig


def train_grpo(
    release: Path | str, out: Path, config: GrpoConfig, *, split: Split = "train", judge: Judge | None = None
) -> TuningResult:
    """Tune a language model by reinforcement learning with the project's rewards.

    Args:
        release: folder or fsspec address of a release; for reasoning samples it must carry its lexicon.
        out: folder of checkpoints and of the tuned model.
        config: the model and how to tune it.
        split: split that prompts come from.
        judge: scores the meaning of a reasoning completion against its reference, 0 to 1; left out where None.

    Raises:
        MissingExtraError: transformers, TRL or datasets are not installed.
        InputError: the release has no prompts, or no lexicon.
    """
    datasets, trl = import_trainers()
    source = Release(release)
    model, processor = load_language_model(config)
    conversation = Conversation(source, split, processor, images=config.images, image_px=config.image_px)
    asked = question_prompts(source, split) if config.source == "questions" else reasoning_prompts(source, split)
    rows = [_row(row, conversation, config) for row in islice(asked, config.prompts)]
    if not rows:
        raise InputError(f"the {split} split has no {config.source}", remedy="change source")
    if config.source == "questions":
        reward: Any = question_reward
    else:
        reward = reasoning_reward(EntityReward.of_release(source), judge=judge, alpha=config.alpha)
    arguments = trl_arguments(
        trl.GRPOConfig,
        config,
        out,
        num_generations=config.generations,
        max_completion_length=config.completion_tokens,
        temperature=config.temperature,
        beta=config.kl,
        use_vllm=config.vllm,
    )
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=processor,
    )
    run_trainer(trainer, out)
    return TuningResult(out / "model", len(rows), 0, trainer.state.log_history)


def _row(row: dict[str, Any], conversation: Conversation, config: GrpoConfig) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in {"prompt", "field_id"}}
    if not config.images:
        return {**kept, "prompt": conversation.prompt(row["prompt"].rstrip("\n"), row["field_id"])}
    pictures = conversation.pictures(row["field_id"])
    return {**kept, "prompt": conversation.messages(row["prompt"], row["field_id"]), "images": pictures}
