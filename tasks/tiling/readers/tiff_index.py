"""Where the JPEG tiles of a TIFF lie, read once."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.tiling.readers.jpeg_stream import RGB, YCBCR, table_segments

_JPEG, _PHOTOMETRIC_RGB, _PHOTOMETRIC_YCBCR = 7, 2, 6  # TIFF 6.0; TIFF Technical Note 2


@dataclass(frozen=True, slots=True, eq=False)
class TiledJpeg:
    """One TIFF directory of JPEG tiles."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: NDArray[np.int64]
    byte_counts: NDArray[np.int64]
    tables: bytes
    transform: int


def index_tiles(path: Path) -> tuple[dict[tuple[int, int], TiledJpeg], list[str]]:
    """Return the directories of JPEG tiles by (width, height), and why other tiled directories are left out.

    Raises:
        ValueError: not a TIFF, or its directories are malformed.
        OSError: the file cannot be read.
    """
    import tifffile

    found: dict[tuple[int, int], TiledJpeg] = {}
    refused: list[str] = []
    try:
        with tifffile.TiffFile(path) as tiff:
            pages: list[Any] = list(tiff.pages)
            for page in pages:
                if not getattr(page, "is_tiled", False):
                    continue
                if problem := _problem(page):
                    refused.append(f"directory {page.index}: {problem}")
                else:
                    found.setdefault((page.imagewidth, page.imagelength), _directory(page))
    except (tifffile.TiffFileError, struct.error, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not a readable TIFF: {error}") from error
    return found, refused


def _problem(page: Any) -> str:
    if page.compression != _JPEG:
        return f"compression {getattr(page.compression, 'name', page.compression)} is not JPEG"
    if page.photometric not in (_PHOTOMETRIC_RGB, _PHOTOMETRIC_YCBCR):
        return f"colour model {getattr(page.photometric, 'name', page.photometric)} is neither RGB nor YCbCr"
    if page.samplesperpixel != 3 or page.bitspersample != 8 or page.planarconfig != 1 or page.imagedepth != 1:
        return "not three interleaved samples of 8 bits"
    tiles = -(-page.imagewidth // page.tilewidth) * -(-page.imagelength // page.tilelength)
    if len(page.dataoffsets) != tiles or len(page.databytecounts) != tiles:
        return f"{len(page.dataoffsets)} tiles where {tiles} are needed"
    if min(page.databytecounts) <= 0:
        return "has missing tiles"
    return ""


def _directory(page: Any) -> TiledJpeg:
    return TiledJpeg(
        width=int(page.imagewidth),
        height=int(page.imagelength),
        tile_width=int(page.tilewidth),
        tile_height=int(page.tilelength),
        offsets=np.asarray(page.dataoffsets, dtype=np.int64),
        byte_counts=np.asarray(page.databytecounts, dtype=np.int64),
        tables=table_segments(page.jpegtables),
        transform=RGB if page.photometric == _PHOTOMETRIC_RGB else YCBCR,
    )
