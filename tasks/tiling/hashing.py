"""SHA-256 of slides, with a cache on disk so that a rerun does not read them again."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from schemas.ids import digest, file_sha256

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
        cache: folder to remember the result in, under the digest of path, size and modification time.

    Raises:
        OSError: a file cannot be read.
    """
    files = slide_files(path)
    entry = None if cache is None else cache / f"{digest(str(path), [_state(file) for file in files])[:32]}.json"
    if entry is not None and (known := _recall(entry)):
        return known
    if len(files) == 1:
        result = file_sha256(path)
    else:
        result = digest([(file.relative_to(path.parent).as_posix(), file_sha256(file)) for file in files])
    if entry is not None:
        _remember(entry, result)
    return result


def _state(file: Path) -> tuple[str, int, int]:
    state = file.stat()
    return str(file), state.st_size, state.st_mtime_ns


def _recall(entry: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(entry.read_text())["sha256"])
    return None


def _remember(entry: Path, sha256: str) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=entry.parent)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"sha256": sha256}, stream)
    Path(name).replace(entry)
