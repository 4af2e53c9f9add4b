"""Which reader a slide gets, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tasks.tiling.config import ReaderName
from tasks.tiling.failures import RefusedSlideError, without_folder
from tasks.tiling.manifest import is_url
from tasks.tiling.readers.native import NativeReader
from tasks.tiling.readers.openslide_reader import OpenSlideReader, open_openslide, read_geometry
from tasks.tiling.readers.protocol import SlideGeometry, SlideReader
from tasks.tiling.readers.tiff_index import TiledJpeg, index_tiles
from tasks.tiling.readers.tiffslide_reader import TiffSlideReader

# Formats whose stored tiles lie side by side without overlap, padding or offset, as OpenSlide shows them.
PLAIN_VENDORS = frozenset({"aperio", "generic-tiff"})


@dataclass(frozen=True, slots=True)
class ReaderChoice:
    """The reader of a slide and the reason, in words for people."""

    reader: str
    reason: str


@dataclass(frozen=True, slots=True)
class _NativeLevels:
    geometry: SlideGeometry
    levels: tuple[TiledJpeg, ...]


def explain_reader(location: Path | str, wanted: ReaderName = "auto") -> ReaderChoice:
    """Return which reader a slide gets, and why.

    Raises:
        RefusedSlideError: no reader can open it, or not the one wanted.
    """
    reader, choice = open_reader(str(location), wanted)
    reader.close()
    return choice


def open_reader(location: str, wanted: ReaderName = "auto") -> tuple[SlideReader, ReaderChoice]:
    """Open a slide with the reader wanted, or with the fastest one that shows it right.

    Raises:
        RefusedSlideError: no reader can open it, or not the one wanted.
    """
    if not is_url(location):
        _check_file(Path(location))
    if wanted == "openslide":
        return OpenSlideReader(location), ReaderChoice("openslide", "asked for")
    if wanted == "tiffslide":
        return TiffSlideReader(location), ReaderChoice("tiffslide", "asked for")
    if is_url(location):
        if wanted != "auto":
            raise _not_native(wanted, "it is a url")
        return TiffSlideReader(location), ReaderChoice("tiffslide", "a url: read in ranges through fsspec")
    return _open_local(location, wanted)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise RefusedSlideError("is a folder", reason="not_a_slide", remedy="name the slide file in it")
        if path.stat().st_size == 0:
            raise RefusedSlideError("is empty (0 bytes)", reason="unreadable", remedy="copy it again")
    except FileNotFoundError as error:
        raise RefusedSlideError("does not exist", reason="missing_file", remedy="check the path") from error
    except OSError as error:  # a loop of links, a folder that may not be entered
        raise RefusedSlideError(f"cannot be reached: {error.strerror}", reason="unreadable") from error


def _open_local(location: str, wanted: ReaderName) -> tuple[SlideReader, ReaderChoice]:
    try:
        native = _native_levels(location)
    except RefusedSlideError as refused:
        if wanted != "auto" or refused.reason == "missing_file":
            raise
        try:
            return TiffSlideReader(location), ReaderChoice("tiffslide", f"for OpenSlide it {refused.problem}")
        except RefusedSlideError:
            raise refused from None
    if isinstance(native, str):
        if wanted != "auto":
            raise _not_native(wanted, native)
        return OpenSlideReader(location), ReaderChoice("openslide", native)
    side = native.levels[0]
    reason = f"{native.geometry.vendor}: every level is stored as JPEG tiles of {side.tile_width}x{side.tile_height} px"
    reader = NativeReader(Path(location), native.geometry, native.levels)
    if wanted == "auto":
        return reader, ReaderChoice("native", reason)
    return reader, ReaderChoice(wanted, f"asked for; {reason}")


def _not_native(wanted: str, why: str) -> RefusedSlideError:
    return RefusedSlideError(
        f"cannot be read by reader {wanted}: {why}", reason="unreadable", remedy="set tiling.reader to auto"
    )


def _native_levels(location: str) -> _NativeLevels | str:
    """Return where the stored tiles of every level lie, or why they cannot be used as they are."""
    slide = open_openslide(location)
    try:
        geometry = read_geometry(slide)
    finally:
        slide.close()
    if geometry.vendor not in PLAIN_VENDORS:
        return f"{geometry.vendor}: its tiles overlap or are placed by metadata, which OpenSlide knows"
    try:
        found, refused = index_tiles(Path(location))
    except (ValueError, OSError) as error:
        return f"{geometry.vendor}: {without_folder(error, location)}"
    missing = [level for level in geometry.levels if (level.width, level.height) not in found]
    if missing:
        why = "; ".join(refused) or "not stored as tiles"
        return f"{geometry.vendor}: level of {missing[0].width}x{missing[0].height} px: {why}"
    tiles = tuple(found[level.width, level.height] for level in geometry.levels)
    levels = tuple(
        replace(level, block_width=stored.tile_width, block_height=stored.tile_height)
        for level, stored in zip(geometry.levels, tiles, strict=True)
    )
    return _NativeLevels(replace(geometry, levels=levels), tiles)
