"""Finished images on their way to the sorted table: tiles are made from top to bottom and written by their ids."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

IN_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class KeptImage:
    """Where a tile's bytes lie in the spool, how they were made, and what was measured on the pixels."""

    start: int
    size_bytes: int
    reader: str
    focus: float


class Spool:
    """Bytes in the order of their making, readable in any other; beyond 16 MiB in an unnamed file that dies with us."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def keep(self, jpeg: bytes, reader: str, focus: float) -> KeptImage:
        """Append an image; nothing may have been read before."""
        start = self._end
        self._file.write(jpeg)
        self._end += len(jpeg)
        return KeptImage(start, len(jpeg), reader, focus)

    def read(self, image: KeptImage) -> bytes:
        """Return an image's bytes."""
        self._file.seek(image.start)
        return self._file.read(image.size_bytes)
