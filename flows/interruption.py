"""Ctrl-C, or a plain `kill`, heeded even where a library swallows it: the next shard or stage raises it again."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_asked = threading.Event()


def watch_for_interruption() -> None:
    """Remember that the run was interrupted, and raise KeyboardInterrupt; for the main thread of a process.

    Without it a process that is told to end (SIGTERM) leaves the server that Prefect has started for it behind.
    """
    _asked.clear()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, _remember)


def _remember(_signal: int, _frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt


def heed_interruption() -> None:
    """Raise KeyboardInterrupt if the user has interrupted, and something (a destructor, a callback) has lost it."""
    if _asked.is_set():
        raise KeyboardInterrupt
