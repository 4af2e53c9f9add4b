"""Writing a slide as a pyramidal tiled JPEG TIFF that OpenSlide reads as Aperio SVS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from tifffile import TiffWriter

from demo.layout import MPP
from demo.paint import Painter

TILE_PX = 256
BAND_PX = 512
QUALITY = 82
LEVEL_STEP = 4
OBJECTIVE_POWER = 20


def write_svs(painter: Painter, size_px0: tuple[int, int], key: str, path: Path) -> None:
    """Write the slide with levels at 1, 1/4 and 1/16, each the area average of the one before.

    Args:
        painter: Paints the slide's rows.
        size_px0: Width and height, multiples of 256.
        key: What identifies the slide's content; stands in the image description as `Key`.
        path: The file to write.
    """
    width, height = size_px0
    quarter = np.empty((height // LEVEL_STEP, width // LEVEL_STEP, 3), np.uint8)
    with TiffWriter(path) as writer:
        _write_level(
            writer, _paint_tiles(painter, size_px0, quarter), (height, width), _description(size_px0, size_px0, key)
        )
        level = quarter
        while True:
            shape = (level.shape[0], level.shape[1])
            _write_level(writer, _tiles(level), shape, _description(size_px0, (shape[1], shape[0]), key))
            if level is not quarter:
                return
            level = np.asarray(Image.fromarray(level).reduce(LEVEL_STEP))


def _write_level(writer: TiffWriter, tiles: Iterator[bytes], shape: tuple[int, int], description: str) -> None:
    writer.write(
        tiles,
        shape=(*shape, 3),
        dtype=np.uint8,
        tile=(TILE_PX, TILE_PX),
        photometric="ycbcr",
        subsampling=(2, 2),
        compression="jpeg",
        description=description,
        software=False,
        metadata=None,
    )


def _description(size_px0: tuple[int, int], size_px: tuple[int, int], key: str) -> str:
    """Return an image description in the form Aperio scanners write."""
    whole, level = (f"{width}x{height}" for width, height in (size_px0, size_px))
    shrunk = "" if level == whole else f" -> {level}"
    return (
        f"Aperio Image Library (Slidesmith demo)\r\n{whole} [0,0 {whole}] ({TILE_PX}x{TILE_PX}){shrunk} "
        f"JPEG/YCC Q={QUALITY}|AppMag = {OBJECTIVE_POWER}|MPP = {MPP}|Key = {key}"
    )


def _paint_tiles(painter: Painter, size_px0: tuple[int, int], quarter: NDArray[np.uint8]) -> Iterator[bytes]:
    """Yield the encoded tiles of level 0 row by row, and fill in level 1 on the way."""
    width, height = size_px0
    glass = [_encode(window) for window in painter.glass(TILE_PX, TILE_PX)]
    for band_top in range(0, height, BAND_PX):
        band_height = min(BAND_PX, height - band_top)
        band = painter.rows(band_top, band_height)
        reduced = Image.frombuffer("RGBX", (width, band_height), band, "raw", "RGBX", 0, 1).reduce(LEVEL_STEP)
        quarter[band_top // LEVEL_STEP :][: band_height // LEVEL_STEP] = np.asarray(reduced)[..., :3]
        for top in range(0, band_height, TILE_PX):
            for left in range(0, width, TILE_PX):
                if painter.is_glass(left, band_top + top, TILE_PX, TILE_PX):
                    yield glass[(left // TILE_PX * 3 + (band_top + top) // TILE_PX) % len(glass)]
                else:
                    yield _encode(band[top : top + TILE_PX, left : left + TILE_PX])


def _tiles(level: NDArray[np.uint8]) -> Iterator[bytes]:
    """Yield the encoded tiles of a level, the last row and column filled up with their own edge."""
    height, width, _ = level.shape
    padded = np.pad(level, ((0, -height % TILE_PX), (0, -width % TILE_PX), (0, 0)), mode="edge")
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            yield _encode(padded[top : top + TILE_PX, left : left + TILE_PX])


def _encode(tile: NDArray[np.uint8]) -> bytes:
    colours = "RGBX" if tile.shape[2] == 4 else "RGB"
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(tile), QUALITY, colours, "420"))
