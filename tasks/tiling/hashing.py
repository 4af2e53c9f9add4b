"""Which files make a slide, and their SHA-256."""

from __future__ import annotations

from pathlib import Path

from schemas.ids import digest, file_sha256
from tasks.digests import remembered, remembered_sha256

FOLDER_FORMATS = {".mrxs"}  # the file names a folder of the same stem that holds the pixels
SERIES_FORMATS = {".dcm", ".vms", ".vmu"}  # all files of the folder belong together


def slide_files(path: Path) -> list[Path]:
    """Return every file that belongs to a slide, the named one first.

    MRXS keeps its pixels in a folder of the same stem; DICOM and Hamamatsu VMS series fill their folder.
    """
    suffix = path.suffix.lower()
    if suffix in FOLDER_FORMATS:
        parts = [part for part in path.with_suffix("").rglob("*") if part.is_file()]
    elif suffix == ".dcm":
        parts = [part for part in path.parent.glob("*.dcm") if part.is_file()]
    elif suffix in SERIES_FORMATS:
        parts = [part for part in path.parent.iterdir() if part.is_file()]
    else:
        parts = []
    return [path, *sorted(part for part in parts if part != path)]


def stamp(files: list[Path]) -> tuple[int, int]:
    """Return the size in bytes and the newest modification time in nanoseconds of several files together."""
    states = [file.stat() for file in files]
    return sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)


def slide_sha256(path: Path, cache: Path | None = None) -> str:
    """Return the SHA-256 of a slide's content; several files are hashed as one, independent of where they lie.

    Args:
        path: the slide.
        cache: folder to remember the result in; see `tasks.digests`.

    Raises:
        OSError: a file cannot be read.
    """
    files = slide_files(path)
    if len(files) == 1:
        return remembered_sha256(path, cache)
    named = [(file.relative_to(path.parent).as_posix(), file) for file in files]
    return remembered(files, cache, lambda: digest([(name, file_sha256(file)) for name, file in named]))
