"""What every reader offers: a slide's geometry and its pixels, block by block.

Pixels are arrays (H, W, 4) of unsigned bytes: red, green, blue and one byte of padding. Four bytes per pixel let
JPEG codec and area average work without a copy in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
WHITE = 255


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a slide's pyramid. Frame: level pixels; blocks are what one read returns."""

    width: int
    height: int
    downsample_x: float
    """Level-0 pixels per level pixel, horizontally."""
    downsample_y: float
    block_width: int
    block_height: int

    @property
    def columns(self) -> int:
        """Number of blocks side by side."""
        return math.ceil(self.width / self.block_width)

    @property
    def rows(self) -> int:
        """Number of blocks one above the other."""
        return math.ceil(self.height / self.block_height)


@dataclass(frozen=True, slots=True)
class SlideGeometry:
    """What a slide's metadata says; mpp are micrometres per level-0 pixel."""

    vendor: str
    levels: tuple[Level, ...]
    mpp_x: float | None
    mpp_y: float | None
    objective_power: float | None = None
    icc_sha256: str | None = None
    bounds: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Box (x, y, width, height) in level-0 pixels that holds the scanned regions."""

    @property
    def width_px0(self) -> int:
        """Width in level-0 pixels."""
        return self.levels[0].width

    @property
    def height_px0(self) -> int:
        """Height in level-0 pixels."""
        return self.levels[0].height


class SlideReader(Protocol):
    """An open slide."""

    name: str
    geometry: SlideGeometry

    def block(self, level: int, column: int, row: int) -> Pixels:
        """Return one block, clipped to the level; shape (H, W, 4). It must not be written to.

        Raises:
            SlideReadError: the block cannot be read.
        """
        ...

    def native_jpeg(self, level: int, column: int, row: int) -> bytes | None:
        """Return the block as a JPEG file with the slide's own bytes, or None where it is not stored as one.

        Raises:
            SlideReadError: the block cannot be read.
        """
        ...

    def reopen(self) -> None:
        """Start afresh after an error: some libraries answer every later read with the first error."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


def true_downsample(full: int, reduced: int) -> float:
    """Return level-0 pixels per level pixel along one axis.

    A level made by an integer factor has floor(full / factor) or ceil(full / factor) pixels; then the factor is the
    true ratio and full / reduced is not. Otherwise (a ratio that is not a whole number) the quotient stands.
    """
    quotient = full / reduced
    factor = round(quotient)
    if factor >= 1 and reduced in (full // factor, -(-full // factor)):
        return float(factor)
    return quotient
