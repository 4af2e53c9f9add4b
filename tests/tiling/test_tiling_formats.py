"""Slides of several files: MRXS and DICOM, written here byte by byte, read through OpenSlide and moved as one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import simplejpeg
from PIL import Image

from schemas.records import Field, Slide, Tile
from tasks.store import Shard
from tasks.tiling.hashing import slide_files, slide_sha256
from tasks.tiling.manifest import read_sources
from tasks.tiling.readers.choice import explain_reader

Tiler = Callable[..., Shard]
VL_WHOLE_SLIDE, JPEG_BASELINE = "1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.1.2.4.50"
ROOT = "1.2.826.0.1.3680043.8.498.1"


def _jpegs(pixels: Any, tile: int) -> list[bytes]:
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % tile), (0, -width % tile), (0, 0)), constant_values=255)
    tiles = [padded[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]
    return [simplejpeg.encode_jpeg(np.ascontiguousarray(each), 90, "RGB", "444") for each in tiles]


def _reduced(pixels: Any, factor: int) -> Any:
    return np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels


def _element(group: int, number: int, kind: str, value: bytes | str | int) -> bytes:
    """Return a DICOM data element, explicit VR little endian (PS3.5, section 7.1.2)."""
    if isinstance(value, int):
        value = struct.pack("<H" if kind == "US" else "<I", value)
    data = value.encode() if isinstance(value, str) else value
    data += (b"\0" if kind in ("UI", "OB") else b" ") * (len(data) % 2)
    size = struct.pack("<HI", 0, len(data)) if kind in ("OB", "SQ") else struct.pack("<H", len(data))
    return struct.pack("<HH2s", group, number, kind.encode()) + size + data


def _sequence(group: int, number: int, item: bytes) -> bytes:
    return _element(group, number, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)


def _frames(jpegs: list[bytes]) -> bytes:
    """Return encapsulated pixel data with its offset table (PS3.5, annex A.4)."""
    parts = [jpeg + b"\0" * (len(jpeg) % 2) for jpeg in jpegs]
    starts = np.cumsum([0, *(len(part) + 8 for part in parts[:-1])]).astype("<u4").tobytes()
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in (starts, *parts))
    return struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def write_dicom(folder: Path, pixels: Any, mpp: float = 0.5, tile: int = 256) -> Path:
    """Write two levels as two instances of one series."""
    folder.mkdir()
    for number, factor in enumerate((1, 4)):
        level = _reduced(pixels, factor)
        jpegs, spacing = _jpegs(level, tile), f"{mpp * factor / 1000:.6g}"
        uid = f"{ROOT}.{number + 10}"
        meta = b"".join([
            _element(2, 1, "OB", b"\0\1"), _element(2, 2, "UI", VL_WHOLE_SLIDE), _element(2, 3, "UI", uid),
            _element(2, 0x10, "UI", JPEG_BASELINE), _element(2, 0x12, "UI", ROOT),
        ])  # fmt: skip
        body = b"".join([
            _element(8, 8, "CS", f"{'DERIVED' if number else 'ORIGINAL'}\\PRIMARY\\VOLUME\\NONE"),
            _element(8, 0x16, "UI", VL_WHOLE_SLIDE), _element(8, 0x18, "UI", uid), _element(8, 0x60, "CS", "SM"),
            _element(0x20, 0xD, "UI", f"{ROOT}.1"), _element(0x20, 0xE, "UI", f"{ROOT}.2"),
            _element(0x20, 0x52, "UI", f"{ROOT}.3"), _element(0x20, 0x9311, "CS", "TILED_FULL"),
            _element(0x28, 2, "US", 3), _element(0x28, 4, "CS", "YBR_FULL_422"), _element(0x28, 6, "US", 0),
            _element(0x28, 8, "IS", str(len(jpegs))), _element(0x28, 0x10, "US", tile),
            _element(0x28, 0x11, "US", tile), _element(0x28, 0x100, "US", 8), _element(0x28, 0x101, "US", 8),
            _element(0x28, 0x102, "US", 7), _element(0x28, 0x103, "US", 0),
            _element(0x48, 6, "UL", level.shape[1]), _element(0x48, 7, "UL", level.shape[0]),
            _sequence(0x5200, 0x9229, _sequence(0x28, 0x9110, _element(0x28, 0x30, "DS", f"{spacing}\\{spacing}"))),
        ])  # fmt: skip
        head = bytes(128) + b"DICM" + _element(2, 0, "UL", len(meta)) + meta
        (folder / f"{number}.dcm").write_bytes(head + body + _frames(jpegs))
    return folder / "0.dcm"


def write_mrxs(folder: Path, pixels: Any, empty: Collection[tuple[int, int]] = (), tile: int = 128) -> Path:
    """Write three levels (1x, 2x, 4x) as 3DHISTECH does; `empty` names columns and rows (x4) that were not scanned."""
    path = folder / "s.mrxs"
    data_folder = folder / "s"
    data_folder.mkdir(parents=True)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % (4 * tile)), (0, -width % (4 * tile)), (0, 0)), constant_values=255)
    across, down = padded.shape[1] // tile, padded.shape[0] // tile
    head = b"01.02" + b"A" * 32
    data, body, starts = b"", b"", []
    for factor in (1, 2, 4):
        places = [(x, y) for y in range(0, down, factor) for x in range(0, across, factor)]
        entries = []
        for (x, y), jpeg in zip(places, _jpegs(_reduced(padded, factor), tile), strict=True):
            if (x // 4, y // 4) not in empty:
                entries.append(struct.pack("<4i", y * across + x, len(data), len(jpeg), 0))
                data += jpeg
        starts.append(len(head) + 8 + 12 + len(body))  # after two roots and three starts
        body += struct.pack("<4i", 0, starts[-1] + 8, len(entries), 0) + b"".join(entries)
    roots = struct.pack("<2i", len(head) + 8, len(head) + 20 + len(body))
    (data_folder / "Index.dat").write_bytes(head + roots + struct.pack("<3i", *starts) + body + bytes(4))
    (data_folder / "Data0000.dat").write_bytes(data)
    lines = [
        "[GENERAL]", "SLIDE_VERSION = 01.02", f"SLIDE_ID = {'A' * 32}", f"IMAGENUMBER_X = {across}",
        f"IMAGENUMBER_Y = {down}", "OBJECTIVE_MAGNIFICATION = 20", "[HIERARCHICAL]", "HIER_COUNT = 1",
        "NONHIER_COUNT = 0", "INDEXFILE = Index.dat", "HIER_0_NAME = Slide zoom level", "HIER_0_COUNT = 3",
        *(f"HIER_0_VAL_{level}_SECTION = LEVEL_{level}" for level in range(3)),
        "[DATAFILE]", "FILE_COUNT = 1", "FILE_0 = Data0000.dat",
    ]  # fmt: skip
    for level in range(3):
        lines += [
            f"[LEVEL_{level}]", "OVERLAP_X = 0", "OVERLAP_Y = 0", f"MICROMETER_PER_PIXEL_X = {0.5 * 2**level}",
            f"MICROMETER_PER_PIXEL_Y = {0.5 * 2**level}", "IMAGE_FILL_COLOR_BGR = 16777215",
            f"DIGITIZER_WIDTH = {tile}", f"DIGITIZER_HEIGHT = {tile}", "IMAGE_FORMAT = JPEG",
            f"IMAGE_CONCAT_FACTOR = {min(level, 1)}",
        ]  # fmt: skip
    (data_folder / "Slidedat.ini").write_text("\n".join(lines) + "\n")
    path.write_bytes(_jpegs(_reduced(pixels, 16), 64)[0])
    return path


WRITERS: dict[str, Callable[[Path, Any], Path]] = {"dicom": write_dicom, "mirax": write_mrxs}


@pytest.mark.parametrize("vendor", WRITERS)
def test_slides_of_several_files_become_fields(
    vendor: str, tmp_path: Path, paint: Callable[..., Any], tile: Tiler, small: Any
) -> None:
    path = WRITERS[vendor](tmp_path / "slide", paint(1500, 1100))
    assert explain_reader(path).reader == "openslide"
    assert explain_reader(path).reason.startswith(f"{vendor}: ")
    shard = tile(path, **small, jpeg_quality=100, jpeg_subsampling="444")
    (slide,) = shard.records("slides", Slide)
    assert (slide.vendor, slide.mpp_x, slide.sha256) == (vendor, 0.5, slide_sha256(path))
    assert shard.info.items_out > 50
    levels = {name: plan["level"] for name, plan in shard.info.facts["scales"].items()}
    with openslide.OpenSlide(path) as opened:
        for row in shard.records("tiles", Tile)[::9]:
            side = round(row.box_width_px0 / opened.level_downsamples[levels[row.scale]])
            region = opened.read_region((row.x_px0, row.y_px0), levels[row.scale], (side, side))
            white = Image.new("RGB", region.size, (255, 255, 255))
            white.paste(region, mask=region)
            expected = np.asarray(white.reduce(side // 64), dtype=np.int16)
            assert row.reader == "openslide"
            assert np.abs(simplejpeg.decode_jpeg(row.image, "RGB").astype(np.int16) - expected).mean() < 1.5


@pytest.mark.parametrize("vendor", WRITERS)
def test_every_file_of_a_slide_counts(vendor: str, tmp_path: Path, paint: Callable[..., Any]) -> None:
    path = WRITERS[vendor](tmp_path / "slide", paint(600, 500))
    before, files = slide_sha256(path), slide_files(path)
    assert files[0] == path
    assert len(files) == {"dicom": 2, "mirax": 4}[vendor]
    sources, rejections = read_sources(path.parent)
    assert (len(sources), rejections) == (1, [])
    with files[-1].open("ab") as stream:
        stream.write(b"\0")
    assert slide_sha256(path) != before


def test_what_was_not_scanned_is_white_and_no_tissue(
    tmp_path: Path, paint: Callable[..., Any], tile: Tiler, small: Any
) -> None:
    gap = {(1, 0), (1, 1), (1, 2), (0, 2), (2, 2)}  # two regions with a gap between them, and none below
    path = write_mrxs(tmp_path / "slide", paint(1536, 1536, margin=-0.4), empty=gap)
    with openslide.OpenSlide(path) as opened:
        assert int(opened.properties["openslide.bounds-height"]) < 1100
    shard = tile(path, **(small | {"scales_mpp": {"mid": 1.0, "high": 0.5}}))
    assert shard.info.items_out > 100
    assert shard.info.rejected.keys() <= {"background", "low_tissue", "outside_slide", "blank"}
    for field in shard.records("fields", Field):
        assert not 544 < field.centre_x_px0 < 992
        assert field.centre_y_px0 < 1056


def test_a_damaged_frame_costs_the_fields_that_need_it(
    tmp_path: Path, paint: Callable[..., Any], tile: Tiler, small: Any
) -> None:
    path = write_dicom(tmp_path / "slide", paint(1500, 1100))
    config = small | {"scales_mpp": {"high": 0.5}}
    whole = tile(path, **config).info.items_out
    content = path.read_bytes()
    at = content.index(b"\xff\xd8", len(content) // 2)
    path.write_bytes(content[:at] + b"\0\0" + content[at + 2 :])
    shard = tile(path, **config)
    assert 0 < shard.info.rejected["region_unreadable"] < 64
    assert shard.info.items_out == whole - shard.info.rejected["region_unreadable"]
