"""The configuration of training: one frozen, validated section, light to import."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_FREE = {"checkpoint_steps", "device", "tensorboard", "threads", "time_budget_s"}
"""What may differ between a run and its continuation."""


class TrainingConfig(BaseModel):
    """What `train_contrastive` does; the defaults train the small encoder on the demo release on two CPU cores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str = Field(
        default="small",
        min_length=1,
        description="`small`, or an open_clip model: its name, `local-dir:PATH` or `hf-hub:ORG/NAME`",
    )
    pretrained: str | None = Field(default=None, description="open_clip weights: a tag or a local file")
    epochs: int = Field(default=20, ge=1, description="passes over the training fields")
    steps: int | None = Field(default=None, ge=1, description="optimiser steps instead of epochs")
    batch: int = Field(default=32, ge=2, description="fields per optimiser step and process")
    accumulate: int = Field(default=1, ge=1, description="micro-batches that one optimiser step is split into")
    lr: float = Field(default=3e-3, gt=0, description="peak learning rate of the one-cycle schedule")
    weight_decay: float = Field(default=0.02, ge=0, description="weight decay of AdamW")
    warmup: float = Field(default=0.2, gt=0, lt=1, description="share of the steps with a rising learning rate")
    image_px: int = Field(default=256, ge=32, le=1024, description="side to which tiles are brought when decoded")
    crop_px: int | None = Field(
        default=128, ge=32, description="side of the crops that the small encoder trains on; null trains on whole tiles"
    )
    width: int = Field(default=0, ge=0, description="channels of the small encoder's first layer; 0: front end alone")
    front_end: Literal["auto", "none", "wavelet_morphology"] = Field(
        default="auto", description="fixed front end; auto takes wavelet_morphology for the small encoder alone"
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="share of the front end's values left out in training")
    embedding: int = Field(default=128, ge=8, multiple_of=4, description="dimensions of the shared space (small)")
    text_width: int = Field(default=64, ge=16, multiple_of=4, description="dimensions inside the small text encoder")
    text_layers: int = Field(default=1, ge=1, description="layers of the small text encoder")
    text_tokens: int = Field(default=96, ge=8, description="longest text in tokens; the rest is cut and counted")
    vocabulary: int = Field(default=8192, ge=64, description="largest number of words of the small text encoder")
    alpha: float = Field(default=2.0, ge=0, description="weight of L_neg, the perturbed captions of the same image")
    beta: float = Field(default=0.5, ge=0, description="weight of L_pos, the expanded hierarchical texts")
    gamma: float = Field(default=1.0, ge=0, description="weight of the questions: right option against wrong ones")
    delta: float = Field(default=2.0, ge=0, description="weight of single findings: the value seen against the others")
    epsilon: float = Field(default=2.0, ge=0, description="weight of the scales: texts are looked for at their own")
    temperature: float = Field(default=0.07, gt=0.005, le=1, description="first softmax temperature; it is learnt")
    captions: int = Field(default=2, ge=1, description="captions drawn per field and step")
    negatives: int = Field(default=8, ge=0, description="perturbed captions drawn per field and step")
    questions: int = Field(default=2, ge=0, description="questions drawn per field and step")
    augment: bool = Field(default=True, description="flips and quarter turns, drawn per field")
    refine: float = Field(
        default=0.0, ge=0, le=1, description="share of the images under wavelet and morphology refinement (pixels only)"
    )
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="arithmetic of the forward pass")
    device: str = Field(
        default="auto", pattern="^(auto|cpu|cuda(:[0-9]+)?)$", description="auto takes a GPU where there is one"
    )
    threads: int | None = Field(default=None, ge=1, description="CPU threads; null takes those of the process")
    workers: int = Field(default=0, ge=0, description="loader processes where the release is streamed")
    cache_mb: int = Field(default=512, ge=0, description="decoded images are kept in memory up to this size")
    seed: int = Field(default=0, ge=0, description="same seed and release, same bits on a CPU")
    checkpoint_steps: int = Field(default=50, ge=1, description="optimiser steps between checkpoints")
    tensorboard: bool = Field(default=False, description="write curves of the losses for TensorBoard")
    time_budget_s: float | None = Field(default=None, gt=0, description="stop, with a checkpoint, after this time")

    @model_validator(mode="after")
    def _sees_something(self) -> TrainingConfig:
        if not (self.described or self.looks):
            raise ValueError("width 0 and front_end none leave the encoder nothing to look at")
        return self

    @model_validator(mode="after")
    def _micro_batches_hold_pairs(self) -> TrainingConfig:
        if self.batch < 2 * self.accumulate:
            raise ValueError("a micro-batch of one field contrasts nothing: raise batch or lower accumulate")
        return self

    def portable(self) -> dict[str, Any]:
        """Return what decides the model, for keys and for runs that go on: no device, no speed, no way of watching."""
        return self.model_dump(mode="json", exclude=_FREE)

    @property
    def described(self) -> bool:
        """Whether tiles are described by the fixed front end."""
        return self.front_end == "wavelet_morphology" or (self.front_end == "auto" and self.encoder == "small")

    @property
    def looks(self) -> bool:
        """Whether the encoder looks at pixels, and not at descriptors alone."""
        return self.encoder != "small" or self.width > 0
