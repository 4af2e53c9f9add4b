"""What a report shows, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.records import Caption, Field, Perturbation, Question, Reasoning
from tasks.store import ShardInfo

STAGE_TITLES = {
    "slides": ("slides listed", "slides that open"),
    "tiling": ("candidate fields", "fields tiled"),
    "reports": ("reports", "reports linked"),
    "features": ("findings", "findings kept"),
    "texts": ("texts drafted", "texts kept"),
    "questions": ("fields × dimensions", "asked a question"),
    "screening": ("questions", "questions passed"),
    "reviewed": ("questions", "questions released"),
}


@dataclass(frozen=True)
class StageCount:
    """What went into a stage, what came out, and what was rejected by reason."""

    stage: str
    noun_in: str
    noun_out: str
    items_in: int
    items_out: int
    rejected: Mapping[str, int]
    shards: int
    wall_s: float


@dataclass(frozen=True)
class StageTime:
    """How long a stage worked, summed over its shards, and on the slowest of them."""

    stage: str
    shards: int
    work_s: float
    slowest_s: float


@dataclass(frozen=True)
class Example:
    """One field with everything that was made from it; `images` are (scale, um/px, JPEG bytes)."""

    field: Field
    images: Sequence[tuple[str, float, bytes]]
    captions: Sequence[Caption]
    negatives: Sequence[tuple[Caption, Perturbation]]
    questions: Sequence[Question]
    reasoning: Reasoning | None


@dataclass(frozen=True)
class Contents:
    """Everything the page shows; `overlays` are (slide name, line of text, image bytes), of all `slides` or of some.

    `confidence` and `margin` are those of the leak table: level of its intervals, and how far above chance one may end.
    """

    title: str
    headline: Sequence[tuple[str, str]]
    stages: Sequence[StageCount]
    overlays: Sequence[tuple[str, str, bytes]]
    examples: Sequence[Example]
    leaks: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    evaluation: Mapping[str, Any] | None
    flagged: int
    audited: int
    release_path: str
    fingerprint: str
    slides: int
    confidence: float
    margin: float
    spending: Sequence[Mapping[str, Any]] = ()
    times: Sequence[StageTime] = ()
    warnings: Sequence[str] = ()


def time_stages(infos: Sequence[ShardInfo]) -> list[StageTime]:
    """Return the time of every stage, the longest first."""
    of_stage: dict[str, list[float]] = {}
    for info in infos:
        of_stage.setdefault(info.stage, []).append(info.wall_s)
    rows = [StageTime(stage, len(times), sum(times), max(times)) for stage, times in of_stage.items()]
    return sorted(rows, key=lambda row: -row.work_s)


def count_stages(infos: Sequence[ShardInfo]) -> list[StageCount]:
    """Return one line of the funnel per stage, summed over its shards, in the order of the line."""
    counts = []
    for stage, (noun_in, noun_out) in STAGE_TITLES.items():
        shards = [info for info in infos if info.stage == stage]
        if not shards:
            continue
        rejected: dict[str, int] = {}
        for info in shards:
            for reason, number in info.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + number
        counts.append(
            StageCount(
                stage=stage,
                noun_in=noun_in,
                noun_out=noun_out,
                items_in=sum(info.items_in for info in shards),
                items_out=sum(info.items_out for info in shards),
                rejected=dict(sorted(rejected.items(), key=lambda item: -item[1])),
                shards=len(shards),
                wall_s=round(sum(info.wall_s for info in shards), 1),
            )
        )
    return counts
