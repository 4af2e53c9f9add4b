"""JPEG bytes to a square of pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from schemas.errors import FileFormatError

Pixels = npt.NDArray[np.uint8]


def decode_tile(data: bytes, size_px: int | None = None) -> Pixels:
    """Decode a JPEG tile, made smaller by area averaging where a size is given.

    Most of the shrinking is done inside the decoder (scaled inverse DCT, M/8), which costs less than decoding whole;
    the rest is a box filter, so that the mean of small objects is kept.

    Args:
        data: JPEG bytes.
        size_px: side of the square to return, or None for the tile as it is.

    Shapes:
        (H, W, 3) uint8, RGB; (size_px, size_px, 3) where a size is given.

    Raises:
        FileFormatError: the bytes are no JPEG image.
    """
    least = size_px or 0
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=least, min_width=least)
    except ValueError as error:
        raise FileFormatError(f"a tile is not JPEG ({error})", remedy="run slidesmith release verify") from error
    if size_px is None or pixels.shape[:2] == (size_px, size_px):
        return pixels
    shrinks = min(pixels.shape[:2]) >= size_px
    filtering = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(pixels).resize((size_px, size_px), filtering))  # one that may be written to
