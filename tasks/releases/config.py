"""Configuration of a release: what it is called, how it is cut into files, and what the gate refuses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tasks.settings import StageConfig

SLUG = r"^[a-z0-9][a-z0-9._-]{0,62}$"
SEMVER = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
"""Semantic versioning 2.0.0 without build metadata (semver.org, item 10: it would not take part in precedence)."""
NEXT = "next"
"""Instead of a version: the latest one where nothing has changed since, else the next minor number."""
RESERVED = {"objects", "quarantine", "tags"}


class GateBounds(StageConfig):
    """What the gate lets pass."""

    near_duplicate_bits: int = Field(
        default=6, ge=0, le=12, description="perceptual hashes this many bits apart (of 64) are looked at closely"
    )
    near_duplicate_correlation: float = Field(
        default=0.95, gt=0, le=1, description="two of them with thumbnails at least this correlated may be duplicates"
    )
    near_duplicate_detail: float = Field(
        default=0.5, ge=0, le=1, description="and whose fine structure over tissue is at least this correlated"
    )
    require_screening: bool = Field(default=True, description="refuse questions that no text-only reader has screened")
    undecided_cells: Literal["allow", "refuse"] = Field(
        default="allow", description="cells with too few questions to decide: publish and say so, or refuse"
    )
    identifying_text: Literal["refuse", "mask", "off"] = Field(
        default="refuse", description="names, dates and accession numbers in report text: refuse, mask, or do not look"
    )


class ReleaseConfig(StageConfig):
    """The `release` section of a run's configuration."""

    dataset: str = Field(default="slidesmith-demo", pattern=SLUG, description="name of the dataset (slug)")
    version: str = Field(
        default="1.0.0",
        pattern=f"^{NEXT}$|{SEMVER}",
        description="semantic version, which is never changed; or `next`: 1.0.0, then a minor number more each time "
        "that something has changed",
    )
    title: str = Field(default="Slidesmith dataset", min_length=1, description="title of the dataset card")
    description: str = Field(default="", description="one paragraph for the card, after the title")
    licence: str = Field(default="other", min_length=1, description="licence of the release, as the Hub names it")
    tags: tuple[str, ...] = Field(default=("pathology", "vision-language"), description="tags of the card's header")
    shard_mib: int = Field(default=32, ge=1, le=1024, description="size that files of images aim at, MiB")
    workers: int = Field(default=2, ge=1, le=64, description="files written, or images decoded, at once")
    gate: GateBounds = Field(default=GateBounds(), description="what the gate refuses")

    @field_validator("dataset")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name!r} is a folder of the store's own; choose another name")
        return name
