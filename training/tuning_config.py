"""The configuration of language-model tuning: supervised fine-tuning and GRPO."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TuningConfig(BaseModel):
    """What both ways of tuning share."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field(min_length=1, description="Hugging Face model: hub id or local folder, text or vision-language")
    images: bool = Field(default=True, description="show the model the tiles; needs a vision-language model")
    image_px: int = Field(default=448, ge=28, le=2048, description="side of the images that the model is shown")
    steps: int = Field(default=-1, ge=-1, description="optimiser steps; -1 for whole epochs")
    epochs: float = Field(default=1.0, gt=0, description="passes over the training rows or prompts")
    batch: int = Field(default=4, ge=1, description="rows per device and forward pass")
    accumulate: int = Field(default=1, ge=1, description="forward passes that one optimiser step is gathered from")
    lr: float = Field(default=1e-5, gt=0, description="peak learning rate")
    warmup_steps: int = Field(default=0, ge=0, description="steps with a rising learning rate")
    precision: Literal["fp32", "bf16"] = Field(default="bf16", description="arithmetic of weights and passes")
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = Field(
        default="auto", description="auto takes FlashAttention 2 where it is installed, in bf16 on a GPU"
    )
    checkpointing: bool = Field(default=False, description="recompute activations: less memory, about a third slower")
    deepspeed: str | None = Field(default=None, description="DeepSpeed configuration file")
    lora_rank: int = Field(default=0, ge=0, description="rank of LoRA adapters (needs peft); 0 tunes all weights")
    save_steps: int = Field(default=200, ge=1, description="optimiser steps between checkpoints")
    seed: int = Field(default=0, ge=0, description="same seed and release, same bits on a CPU")
    cpu: bool = Field(default=False, description="keep off the GPU")
    tensorboard: bool = Field(default=False, description="write curves for TensorBoard")


class SftConfig(TuningConfig):
    """Supervised fine-tuning on reasoning trajectories, of which the first steps are given and the rest is learnt."""

    tokens: int = Field(
        default=2048, ge=16, description="longest row, images included; longer ones are left out and counted"
    )


class GrpoConfig(TuningConfig):
    """Group-relative policy optimisation with the project's rewards.

    References:
        Shao et al., DeepSeekMath, 2024, 4.1: GRPO.
    """

    source: Literal["questions", "reasoning"] = Field(
        default="questions", description="what prompts are made of: questions of the release, or its reasoning samples"
    )
    generations: int = Field(default=8, ge=2, description="completions per prompt: the group")
    completion_tokens: int = Field(default=512, ge=1, description="longest completion")
    temperature: float = Field(default=1.0, gt=0, description="temperature that completions are drawn with")
    kl: float = Field(default=0.0, ge=0, description="weight of the divergence from the first policy")
    alpha: float = Field(default=0.5, ge=0, description="weight of the entity reward for reasoning samples")
    prompts: int | None = Field(default=None, ge=1, description="use the first so many prompts")
    vllm: bool = Field(default=False, description="generate with vLLM beside the trainer")
