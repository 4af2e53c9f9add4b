"""Scores kept by content, so that an interrupted or repeated screening asks only what was never asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


class StoredScores:
    """Scores by content on disk, one JSON line each: what was asked once is not asked again, a torn line is skipped."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.known: dict[str, list[float]] = {}
        if path is not None and path.is_file():
            text = path.read_text(encoding="utf-8")
            if text and not text.endswith("\n"):  # killed in the middle of a line: what follows begins a new one
                with path.open("a", encoding="utf-8") as stream:
                    stream.write("\n")
            for line in text.splitlines():
                try:
                    key, scores = json.loads(line)
                except ValueError:
                    continue
                self.known[key] = scores

    def add(self, rows: Sequence[tuple[str, list[float]]]) -> None:
        """Keep a batch, on disk before the next one is asked."""
        self.known.update(rows)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.writelines(json.dumps([key, scores]) + "\n" for key, scores in rows)
