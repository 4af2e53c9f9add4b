"""Abbreviated JPEG streams of TIFF tiles made whole: tables put in, colour model stated.

A tile of a JPEG-compressed TIFF lacks its quantisation and Huffman tables (they stand once, in the tag JPEGTables),
and the colour model stands in the tag PhotometricInterpretation, not in the stream. A decoder that sees neither a JFIF
nor an Adobe marker guesses YCbCr, which turns RGB tiles into wrong colours without an error. So the markers that a
decoder would guess from are taken out and one Adobe marker is put in.

References:
    TIFF Technical Note 2; ITU-T T.81, Annex B; Adobe Technical Note 5116 (APP14).
"""

from __future__ import annotations

import struct

_SOI, _SOS, _APP0, _APP14, _EOI = 0xD8, 0xDA, 0xE0, 0xEE, 0xD9
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
RGB, YCBCR = 0, 1  # the Adobe marker's transform byte


def _segments(stream: bytes) -> tuple[bytes, int]:
    """Return the header's segments without APP0 and APP14, and where the scan (or the end) begins."""
    if stream[:2] != b"\xff\xd8":
        raise ValueError("no JPEG: the start-of-image marker is missing")
    kept, position, end = [], 2, len(stream)
    while position + 4 <= end:
        if stream[position] != 0xFF:
            raise ValueError(f"no marker at byte {position} of the JPEG header")
        marker = stream[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in (_SOS, _EOI):
            break
        (length,) = struct.unpack_from(">H", stream, position + 2)
        if marker not in (_APP0, _APP14):
            kept.append(stream[position : position + 2 + length])
        position += 2 + length
    return b"".join(kept), position


def table_segments(tables: bytes | None) -> bytes:
    """Return the segments of a JPEGTables tag, ready to be put into a tile."""
    return _segments(tables)[0] if tables else b""


class JpegAssembler:
    """Makes the tiles of one TIFF directory into JPEG files that any decoder reads alike.

    The compressed pixels are untouched. Tiles of a directory mostly share one header, so the last one is remembered.
    """

    def __init__(self, tables: bytes, transform: int) -> None:
        """Take what all tiles share.

        Args:
            tables: segments from `table_segments`.
            transform: `RGB` or `YCBCR`, from the TIFF's PhotometricInterpretation.
        """
        self._start = b"".join((b"\xff\xd8", _ADOBE, bytes((transform,)), tables))
        self._known = b"\0"
        self._whole = b""

    def assemble(self, stream: bytes) -> bytes:
        """Return a tile as a JPEG file.

        Raises:
            ValueError: the stream has no JPEG header.
        """
        if not stream.startswith(self._known):
            header, scan = _segments(stream)
            if scan + 4 > len(stream) or stream[scan + 1] != _SOS:
                raise ValueError("no scan in the JPEG stream")
            self._known, self._whole = stream[: scan + 2], self._start + header + stream[scan : scan + 2]
        return self._whole + stream[len(self._known) :]
