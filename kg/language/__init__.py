"""Word lists of the linker: plain tables beside this file, reviewed as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent


def rows(name: str) -> Iterator[list[str]]:
    r"""Yield the cells of each line of a table, without comments; `\n` in a cell stands for a new line."""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield [cell.replace("\\n", "\n") for cell in line.split("\t")]
