"""Finished images on their way to the sorted table: tiles are made from top to bottom and written by their ids."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

IN_MEMORY_BYTES = 64 << 20
_BUFFER_BYTES = 1 << 20  # a call of the system for each image would cost three times as much as its bytes


class KeptImage(NamedTuple):
    """Where a tile's bytes lie in the spool, how they were made, and what was measured on the pixels."""

    start: int
    size_bytes: int
    reader: str
    focus: float


class Spool:
    """Bytes in the order of their making, readable in any other; beyond 64 MiB in an unnamed file that dies with us."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=_BUFFER_BYTES)  # noqa: SIM115 - closed in __exit__
        self._held: dict[int, bytes] = {}
        self._written = self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def keep(self, jpeg: bytes, reader: str, focus: float) -> KeptImage:
        """Append an image."""
        start = self._end
        self._held[start] = jpeg
        self._end += len(jpeg)
        if self._end - self._written > IN_MEMORY_BYTES:
            self._file.writelines(self._held.values())
            self._file.flush()
            self._held.clear()
            self._written = self._end
        return KeptImage(start, len(jpeg), reader, focus)

    def read(self, image: KeptImage) -> bytes:
        """Return an image's bytes."""
        held = self._held.get(image.start)
        return os.pread(self._file.fileno(), image.size_bytes, image.start) if held is None else held
