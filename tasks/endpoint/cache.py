"""Replies on disk by the content of their request, so that a rerun after a change of code costs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tasks.endpoint.answers import Reply


class ReplyCache:
    """One file a reply, which appears whole or not at all; parsing and judging come later and are never stored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def holds(self, key: str) -> bool:
        """Return whether a request was answered before."""
        return self._path(key).is_file()

    def find(self, key: str) -> tuple[Reply, str] | None:
        """Return the stored reply and the ledger id of its call; None where there is none, or a torn one."""
        try:
            stored: dict[str, Any] = json.loads(self._path(key).read_text(encoding="utf-8"))
            return Reply(**stored["reply"]), str(stored["ledger_id"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def store(self, key: str, reply: Reply, ledger_id: str) -> None:
        """Keep a reply."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{key}.{os.getpid()}")
        content = json.dumps({"reply": reply.as_json(), "ledger_id": ledger_id}, ensure_ascii=False)
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)
