"""Group-relative policy optimisation on a release's questions or reasoning samples, through TRL."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from training.conversation import Conversation
from training.entity_reward import EntityReward
from training.instruct import question_prompts, reasoning_prompts
from training.judge import Judge
from training.language_model import import_trainers, load_language_model
from training.release import Release, Split
from training.rewards import question_reward, reasoning_reward
from training.sft import TuningResult
from training.tuning_config import GrpoConfig
from training.tuning_run import claim, run_trainer, trl_arguments


def train_grpo(
    release: Path | str, out: Path, config: GrpoConfig, *, split: Split = "train", judge: Judge | None = None
) -> TuningResult:
    """Tune a language model by reinforcement learning with the project's rewards.

    Args:
        release: folder or fsspec address of a release; for reasoning samples it must carry its lexicon.
        out: folder of checkpoints and of the tuned model.
        config: the model and how to tune it.
        split: split that prompts come from.
        judge: scores the meaning of reasoning completions against their references; left out where None.

    Raises:
        MissingExtraError: transformers, TRL or datasets are not installed.
        InputError: the release has no prompts, fewer than a step needs, or no lexicon, there is a judge and nothing to
            judge, or `out` holds another run.

    Determinism: on a CPU an interrupted run that is started again ends with the same bits as one left alone.
    """
    if judge is not None and config.source == "questions":
        raise InputError("questions are rewarded without a judge", remedy="set source: reasoning, or leave it out")
    datasets, trl = import_trainers()
    source = Release(release)
    claim(out, source, split, config, judge is not None)
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
    asked = question_prompts(source, split) if config.source == "questions" else reasoning_prompts(source, split)
    rows = list(islice(asked, config.prompts))
    if not rows:
        raise InputError(f"the {split} split has no {config.source}", remedy="change source")
    drawn = arguments.generation_batch_size // config.generations
    if len(rows) < drawn:  # TRL leaves incomplete steps out, and would end without having learnt
        raise InputError(
            f"{len(rows)} prompts are fewer than the {drawn} of one optimiser step",
            remedy="raise prompts, or lower batch or accumulate",
        )
    if config.source == "questions":
        reward: Any = question_reward
    else:
        reward = reasoning_reward(EntityReward.of_release(source), judge=judge, alpha=config.alpha)
    model, processor = load_language_model(config)
    conversation = Conversation(source, split, processor, images=config.images, image_px=config.image_px)
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows).with_transform(Wording(conversation, images=config.images)),
        processing_class=processor,
    )
    run_trainer(trainer, out)
    return TuningResult(out / "model", len(rows), 0, trainer.state.log_history, judge.unanswered if judge else 0)


class Wording:
    """Rows of the release as the trainer takes them: worded, and with their pictures only when they are asked for."""

    def __init__(self, conversation: Conversation, *, images: bool) -> None:
        self._conversation, self._images = conversation, images

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the columns of the rows with `prompt` worded and, where the model sees images, `images`."""
        worded = {name: values for name, values in rows.items() if name not in {"prompt", "field_id"}}
        asked = list(zip(rows["prompt"], rows["field_id"], strict=True))
        if not self._images:
            return worded | {"prompt": [self._conversation.prompt(text.rstrip("\n"), field) for text, field in asked]}
        pictures = [self._conversation.pictures(field) for _, field in asked]
        return worded | {"prompt": [self._conversation.messages(*row) for row in asked], "images": pictures}
