"""The `generation` section of a run's configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from schemas.records.generation import DIMENSIONS, Dimension
from tasks.endpoint.config import EndpointConfig
from tasks.settings import StageConfig

Source = Literal["annotation", "caption", "endpoint", "report"]
Share = Annotated[float, Field(ge=0, le=1)]


class FeaturesConfig(StageConfig):
    """Where scale-specific features come from and when a finding holds."""

    sources: tuple[Source, ...] = Field(
        default=("annotation", "caption", "report"),
        description="sources in order of precedence: the first that speaks of an attribute decides it; "
        "`endpoint` looks at the tiles",
    )
    min_share: float = Field(
        default=0.6,
        gt=0.5,
        le=1,
        description="share of the annotated area inside a scale's box that one value must hold, else it is ambiguous",
    )
    min_covered: Share = Field(
        default=0.1,
        description="share of a scale's box that must carry an annotation of the attribute, else nothing is said of it",
    )
    min_caption_overlap: float = Field(
        default=0.25, ge=0, le=1, description="overlap (IoU) a box-bound expert caption needs with a scale's box"
    )

    @field_validator("sources")
    @classmethod
    def _distinct(cls, value: tuple[Source, ...]) -> tuple[Source, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a source is named twice")
        return value


class DualConstraint(StageConfig):
    """Bounds of a hard negative: textually close and, by certificate, semantically wrong."""

    min_edit_similarity: Share = Field(default=0.5, description="1 - normalised edit distance, at least")
    min_semantic_similarity: Share = Field(default=0.4, description="cosine of TF-IDF vectors, at least")


class SplitShares(StageConfig):
    """Shares of items by split; they sum to 1."""

    train: float = Field(default=0.6, gt=0, lt=1, description="share of items for training")
    val: float = Field(default=0.2, gt=0, lt=1, description="share of items for choosing")
    test: float = Field(default=0.2, gt=0, lt=1, description="share of items for the last word")


class GenerationConfig(StageConfig):
    """Captions, perturbations, questions and reasoning samples."""

    generator: Literal["rules", "openai"] = Field(
        default="rules", description="who words the texts: grammar and files, or a language model behind `endpoint`"
    )
    endpoint: EndpointConfig | None = Field(
        default=None, description="needed by the generator `openai` and by the source `endpoint` of features"
    )
    proposed_negatives: int = Field(
        default=1, ge=0, le=4, description="negatives per caption that the endpoint may propose; generator `openai`"
    )
    judge_min_score: int | None = Field(
        default=None,
        ge=1,
        le=5,
        description="the endpoint judges reasoning samples, and those below are rejected; null: no judge",
    )
    seed: int = Field(default=0, ge=0, description="same seed and input, same bytes")
    features: FeaturesConfig = FeaturesConfig()
    constraint: DualConstraint = DualConstraint()
    splits: SplitShares = SplitShares()
    phrasings: int = Field(default=2, ge=1, le=4, description="phrasings of each caption level, at most")
    near_duplicate_similarity: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="Jaccard similarity of 3-word shingles at which two captions of one style are one",
    )
    negatives_per_operator: int = Field(
        default=2, ge=1, le=8, description="perturbations per caption, operator and role, at most"
    )
    dimensions: tuple[Dimension, ...] = Field(default=DIMENSIONS, min_length=1, description="question dimensions")
    templates: tuple[str, ...] | None = Field(
        default=None, description="question templates to use by name; null for all of the plan"
    )
    questions_per_field: int = Field(
        default=2, ge=1, le=16, description="counterbalanced questions of one dimension about one field, at most"
    )
    sets_per_template: int = Field(default=48, ge=1, description="counterbalanced option sets per template and patient")
    max_length_ratio: float = Field(
        default=1.2, gt=1, le=2, description="longest over shortest option, in characters, at most"
    )
    per_item_share: float = Field(
        default=0.1, ge=0, le=0.5, description="free-form questions with options of their own, per counterbalanced one"
    )
    max_hops: int = Field(default=4, ge=1, le=6, description="hops of a graph path from finding to diagnosis, at most")
    paths_per_finding: int = Field(default=1, ge=1, le=5, description="graph paths per finding in a reasoning sample")
    findings_per_sample: int = Field(
        default=3, ge=1, le=8, description="findings that a reasoning sample cites, at most"
    )

    @field_validator("dimensions")
    @classmethod
    def _distinct(cls, value: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a dimension is named twice")
        return value

    def portable(self) -> dict[str, Any]:
        """Return what decides the rows, for keys and lineage: nothing of this host or of the endpoint's address."""
        plain = self.model_dump(mode="json", exclude={"endpoint"})
        return plain | {"endpoint": self.endpoint.portable() if self.endpoint else None}

    @model_validator(mode="after")
    def _endpoint_is_named(self) -> GenerationConfig:
        asked = self.generator == "openai" or "endpoint" in self.features.sources
        if asked and self.endpoint is None:
            raise ValueError("`endpoint` is needed by the generator `openai` and by `features.sources`")
        return self
