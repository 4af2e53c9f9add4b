"""The `tiling` section of a run's configuration."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from schemas.records.shared import SCALES, Scale
from tasks.settings import StageConfig

MPP_MIN, MPP_MAX = 0.05, 20.0  # micrometres per pixel; outside it a slide's resolution tag is nonsense
ReaderName = Literal["auto", "native", "passthrough", "openslide", "tiffslide"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Stride = Annotated[float, Field(gt=0.0, le=100_000.0)]
FieldLimit = Annotated[int, Field(ge=1, le=1_000_000)]


class GridCentres(StageConfig):
    """Every position of a regular grid; a stride below the finest tile's extent makes tiles overlap."""

    kind: Literal["grid"] = "grid"
    """Centres are a regular grid."""
    stride_um: Stride | None = None
    """Distance of neighbouring centres in micrometres; None for the extent of the finest tile."""
    max_fields_per_slide: FieldLimit | None = None
    """Most fields of a slide, row by row; None for all."""


class SampledCentres(StageConfig):
    """Positions of a regular grid drawn by seed from tissue."""

    kind: Literal["sampled"] = "sampled"
    """Centres are drawn from tissue."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the draw; slides draw independently of one another."""
    stride_um: Stride | None = None
    """Pitch of the grid that is drawn from, in micrometres; None for the extent of the finest tile."""
    max_fields_per_slide: FieldLimit = 48
    """Most fields of a slide."""


class AnnotatedCentres(StageConfig):
    """Points and regions of the slide's annotation file: GeoJSON (QuPath exports it too) or CSV."""

    kind: Literal["annotations"] = "annotations"
    """Centres come from the annotation file that the manifest names."""
    classes: tuple[str, ...] = ()
    """Classes to take; empty for all."""
    fill: bool = False
    """Fill regions with a grid of `stride_um` rather than take one centre per region."""
    stride_um: Stride | None = None
    """Pitch of that grid in micrometres; None for the extent of the finest tile."""
    max_fields_per_slide: FieldLimit | None = None
    """Most fields of a slide, the first ones of the file; None for all."""


Centres = Annotated[GridCentres | SampledCentres | AnnotatedCentres, Field(discriminator="kind")]


class Thresholds(StageConfig):
    """What a field must meet; every field dropped by one of them is counted under its reason."""

    tissue_fraction_min: Share = 0.5
    """Share of the finest tile covered by tissue."""
    inside_fraction_min: Share = 0.5
    """Share of each tile inside the slide."""
    focus_min: Annotated[float, Field(ge=0.0)] = 25.0
    """Variance of the Laplacian of the finest tile, in squared grey levels; 0 turns the check off."""
    blank_std_min: Annotated[float, Field(ge=0.0, le=128.0)] = 3.0
    """Standard deviation of the finest tile in grey levels; 0 turns the check off."""
    pen_fraction_max: Share = 0.05
    """Share of each tile covered by pen ink."""
    fold_fraction_max: Share = 0.15
    """Share of each tile covered by tissue folds."""


def _default_scales() -> dict[Scale, float]:
    return {"low": 10.0, "mid": 2.5, "high": 0.5}


class TilingConfig(StageConfig):
    """How slides become tiles. Scales are given in micrometres per pixel; magnification is never used."""

    scales_mpp: dict[Scale, Annotated[float, Field(ge=MPP_MIN, le=200.0)]] = Field(default_factory=_default_scales)
    """Micrometres per pixel of each scale: any of low, mid and high, low the coarsest."""
    tile_px: Annotated[int, Field(ge=32, le=4096)] = 256
    """Side of every tile in pixels, at every scale."""
    centres: Centres = Field(default_factory=SampledCentres)
    """Where fields lie: a grid, a seeded draw from it, or an annotation file."""
    thresholds: Thresholds = Field(default_factory=Thresholds)
    """What a field must meet."""
    ratio_tolerance: Annotated[float, Field(ge=0.0, le=0.05)] = 0.01
    """Relative deviation at which a scale's pixels are taken as a whole number of slide pixels; the true scale is
    stored with every tile."""
    mask_mpp: Annotated[float, Field(ge=1.0, le=64.0)] = 8.0
    """Resolution of the tissue mask in micrometres per pixel."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 80
    """Quality of the tiles that are encoded; stored tiles that fit are passed through as they are."""
    jpeg_subsampling: Literal["420", "444"] = "420"
    """Chroma subsampling of the tiles that are encoded."""
    reader: ReaderName = "auto"
    """How slides are read: auto takes the fastest that shows the slide right and passes stored tiles through."""
    normalisation: Literal["none", "macenko", "reinhard"] = "none"
    """Stain normalisation, fitted once per slide."""
    measure_focus: bool = True
    """Off: tiles are not looked at, their focus is NaN, and `focus_min` and `blank_std_min` must be 0."""
    cache_mib: Annotated[int, Field(ge=16, le=4096)] = 256
    """Most memory for decoded pixels of one slide; narrow slides take less."""
    max_failed_share: Share = 0.5
    """Share of slides that may be rejected before the run stops."""

    @field_validator("scales_mpp")
    @classmethod
    def _ordered(cls, scales: dict[Scale, float]) -> dict[Scale, float]:
        ordered: dict[Scale, float] = {name: scales[name] for name in SCALES if name in scales}
        if not ordered:
            raise ValueError("name at least one of low, mid and high, e.g. {high: 0.5}")
        values = list(ordered.values())
        if any(coarse <= fine for coarse, fine in itertools.pairwise(values)):
            raise ValueError("low must be coarser than mid and mid coarser than high (more um/px), got " + str(ordered))
        return ordered

    @model_validator(mode="after")
    def _measured(self) -> TilingConfig:
        if not self.measure_focus and (self.thresholds.focus_min or self.thresholds.blank_std_min):
            raise ValueError("measure_focus is off, so set thresholds.focus_min and thresholds.blank_std_min to 0")
        if self.reader == "passthrough" and self.normalisation != "none":
            raise ValueError("reader passthrough keeps the slide's bytes, so normalisation must be none")
        return self

    @property
    def finest(self) -> Scale:
        """The scale with the smallest pixels."""
        return next(reversed(self.scales_mpp))
