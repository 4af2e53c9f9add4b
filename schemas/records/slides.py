"""Records of slides, fields and tiles."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.records.shared import Feature, Scale, doc


@dataclass(frozen=True, slots=True)
class Slide:
    """One whole-slide image as it was read."""

    slide_id: str = field(metadata=doc("content id, `slide_...`, from patient_id and sha256"))
    patient_id: str = field(metadata=doc("pseudonym of the patient from the manifest; the unit of splits"))
    name: str = field(metadata=doc("file name without folder"))
    uri: str = field(metadata=doc("location relative to the manifest, or an fsspec url; never a host path"))
    sha256: str = field(metadata=doc("SHA-256 of the slide's bytes"))
    vendor: str = field(metadata=doc("vendor as OpenSlide names it"))
    width_px0: int = field(metadata=doc("width in level-0 pixels"))
    height_px0: int = field(metadata=doc("height in level-0 pixels"))
    mpp_x: float = field(metadata=doc("micrometres per level-0 pixel, horizontally"))
    mpp_y: float = field(metadata=doc("micrometres per level-0 pixel, vertically"))
    objective_power: float | None = field(default=None, metadata=doc("objective magnification, for people only"))
    icc_sha256: str | None = field(default=None, metadata=doc("SHA-256 of the embedded ICC profile"))
    organ: str | None = field(default=None, metadata=doc("organ from the manifest"))
    stain: str = field(default="H&E", metadata=doc("stain"))
    report_id: str | None = field(default=None, metadata=doc("report of the patient, if any"))
    licence: str | None = field(default=None, metadata=doc("licence of the slide"))


@dataclass(frozen=True, slots=True)
class Tile:
    """One JPEG tile of a field at one scale."""

    tile_id: str = field(metadata=doc("content id, `tile_...`, from slide, box, scale and encoding"))
    slide_id: str = field(metadata=doc("slide of the tile"))
    field_id: str = field(metadata=doc("field of the tile"))
    scale: Scale = field(metadata=doc("low, mid or high"))
    mpp: float = field(metadata=doc("micrometres per tile pixel"))
    x_px0: int = field(metadata=doc("left edge of the box in level-0 pixels"))
    y_px0: int = field(metadata=doc("top edge of the box in level-0 pixels"))
    box_width_px0: int = field(metadata=doc("width of the box in level-0 pixels"))
    box_height_px0: int = field(metadata=doc("height of the box in level-0 pixels"))
    width_px: int = field(metadata=doc("width of the image"))
    height_px: int = field(metadata=doc("height of the image"))
    tissue_fraction: float = field(metadata=doc("share of the box covered by the tissue mask, 0 to 1"))
    inside_fraction: float = field(metadata=doc("share of the box inside the slide; the rest is filled with white"))
    focus: float = field(metadata=doc("variance of the Laplacian of the grey image, in squared grey levels"))
    pen_fraction: float = field(metadata=doc("share of pixels with pen ink, 0 to 1"))
    fold_fraction: float = field(metadata=doc("share of pixels in tissue folds, 0 to 1"))
    reader: str = field(metadata=doc("how the bytes were made: native, passthrough, openslide, tiffslide"))
    image: bytes = field(metadata=doc("JPEG bytes, RGB"))


@dataclass(frozen=True, slots=True)
class Field:
    """Tiles of one tissue centre at several scales, with what can be seen in them."""

    field_id: str = field(metadata=doc("content id, `field_...`"))
    slide_id: str = field(metadata=doc("slide of the field"))
    patient_id: str = field(metadata=doc("patient of the slide"))
    centre_x_px0: int = field(metadata=doc("horizontal centre in level-0 pixels"))
    centre_y_px0: int = field(metadata=doc("vertical centre in level-0 pixels"))
    low_tile_id: str | None = field(default=None, metadata=doc("tile at the low scale"))
    mid_tile_id: str | None = field(default=None, metadata=doc("tile at the mid scale"))
    high_tile_id: str | None = field(default=None, metadata=doc("tile at the high scale"))
    organ: str | None = field(default=None, metadata=doc("organ of the slide"))
    features: tuple[Feature, ...] = field(default=(), metadata=doc("scale-specific findings with their source"))

    def tile_id(self, scale: Scale) -> str | None:
        """Return the tile at a scale, or None where the field has none."""
        return {"low": self.low_tile_id, "mid": self.mid_tile_id, "high": self.high_tile_id}[scale]
