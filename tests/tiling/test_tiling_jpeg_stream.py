from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
import simplejpeg

from tasks.tiling.readers.jpeg_stream import RGB, YCBCR, JpegAssembler, table_segments


def split(jpeg: bytes) -> tuple[bytes, bytes]:
    """Return (JPEGTables, abbreviated stream) of a JPEG file, as TIFF Technical Note 2 lays them out."""
    tables: list[bytes] = []
    rest: list[bytes] = []
    position = 2
    while jpeg[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", jpeg, position + 2)
        segment = jpeg[position : position + 2 + length]
        (tables if segment[1] in (0xDB, 0xC4) else rest).append(segment)
        position += 2 + length
    return b"\xff\xd8" + b"".join(tables) + b"\xff\xd9", b"\xff\xd8" + b"".join(rest) + jpeg[position:]


@pytest.fixture(scope="module")
def image() -> Any:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(blocks, np.ones((8, 8, 1), dtype=np.uint8)))


@pytest.mark.parametrize("subsampling", ["420", "422", "444"])
def test_a_tile_without_tables_decodes_as_the_whole_file(image: Any, subsampling: str) -> None:
    jpeg = simplejpeg.encode_jpeg(image, 85, "RGB", subsampling)
    tables, stream = split(jpeg)
    with pytest.raises(ValueError, match="(?i)quantization|huffman|table"):
        simplejpeg.decode_jpeg(stream, "RGB")
    whole = JpegAssembler(table_segments(tables), YCBCR).assemble(stream)
    assert np.array_equal(simplejpeg.decode_jpeg(whole, "RGB"), simplejpeg.decode_jpeg(jpeg, "RGB"))


def test_the_stated_colour_model_wins_over_every_marker_in_the_tile(image: Any) -> None:
    jpeg = simplejpeg.encode_jpeg(image, 95, "RGB", "444")  # JFIF, YCbCr
    as_rgb = simplejpeg.decode_jpeg(JpegAssembler(b"", RGB).assemble(jpeg), "RGB").astype(float)
    as_ycbcr = simplejpeg.decode_jpeg(JpegAssembler(b"", YCBCR).assemble(jpeg), "RGB").astype(float)
    assert np.array_equal(as_ycbcr, simplejpeg.decode_jpeg(jpeg, "RGB"))
    assert np.abs(as_rgb - as_ycbcr).mean() > 30  # what a guessing decoder gets wrong without an error
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(as_rgb[..., 0] - luma).mean() < 3
    twice = JpegAssembler(b"", YCBCR).assemble(JpegAssembler(b"", RGB).assemble(jpeg))
    assert twice == JpegAssembler(b"", YCBCR).assemble(jpeg)


def test_a_remembered_header_is_used_for_its_like_alone(image: Any) -> None:
    assembler = JpegAssembler(b"", YCBCR)
    streams = [simplejpeg.encode_jpeg(image[::step], 60 + 10 * step, "RGB", "420") for step in (1, 2, 1, 1, 2)]
    streams.append(simplejpeg.encode_jpeg(255 - image, 70, "RGB", "420"))
    for stream in streams:
        assert assembler.assemble(stream) == JpegAssembler(b"", YCBCR).assemble(stream)


@pytest.mark.parametrize(
    "stream", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"GIF89a", b"\xff\xd8\x00\x00\x00\x00"]
)
def test_what_is_no_jpeg_is_an_error(stream: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        JpegAssembler(b"", YCBCR).assemble(stream)
