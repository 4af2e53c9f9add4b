"""Configuration of review."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings import StageConfig


class ReviewConfig(StageConfig):
    """What becomes of flagged items while people have not decided on them; a run never waits."""

    undecided: Literal["hold", "release"] = Field(
        default="release",
        description="items without a decision: `hold` rejects them as `awaiting_review`, `release` lets them through; "
        "questions that were never flagged are not affected",
    )
    rebalance: bool = Field(
        default=True,
        description="when a question leaves a counterbalanced set, drop siblings until its keys are balanced again",
    )
    audit_items: int = Field(
        default=24,
        ge=0,
        description="questions drawn at random for review though no reader flagged them: the base rate of faults, and "
        "the human baseline",
    )
    audit_seed: int = Field(default=0, ge=0, description="which questions the audit draws")
    opened_at: str = Field(
        default="2026-01-01T00:00:00Z",
        description="time written into `open` events, fixed so that equal runs give equal bytes",
    )
