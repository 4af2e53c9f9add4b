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
    audit_texts: int = Field(
        default=8,
        ge=0,
        description="captions, negatives and reasoning samples drawn at random for review, so many of each",
    )
    audit_seed: int = Field(default=0, ge=0, description="which items the audit draws")
    second_reader_share: float = Field(
        default=0.25,
        ge=0.0,
        le=1.0,
        description="share of items that two annotators read, blind to one another; the ids decide which",
    )
    rescreen_edits: bool = Field(
        default=True,
        description="screen again with the questions as annotators rewrote them; what a reader still guesses is held",
    )
    page_url: str = Field(
        default="http://127.0.0.1:8077",
        pattern=r"^https?://[^\s<>()\[\]]+$",
        description="where annotators find the page; the artifact of a run links to it",
    )
    opened_at: str = Field(
        default="2026-01-01T00:00:00Z",
        description="time written into `open` events, fixed so that equal runs give equal bytes",
    )
