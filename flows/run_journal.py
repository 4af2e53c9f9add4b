"""The log of a run as JSON lines: `runs/<run_id>.jsonl`, one object a line, for people's tools and for SQL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_OWN = ("flows", "kg", "tasks", "training")
_FIELDS = ("stage", "key", "items_in", "items_out", "rejected", "wall_s")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "logged_at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


@contextmanager
def journal(path: Path) -> Iterator[None]:
    """Write what the project logs from INFO on, and Prefect from WARNING on, into a file as it comes.

    Tasks on a cluster log where they run; PREFECT_LOGGING_EXTRA_LOGGERS sends their lines to the server.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_JsonLines())
    loggers = [logging.getLogger(name) for name in _OWN]
    before = [(logger.level, logger.propagate) for logger in loggers]
    warnings = logging.FileHandler(path, encoding="utf-8")
    warnings.setFormatter(_JsonLines())
    warnings.setLevel(logging.WARNING)
    prefect = logging.getLogger("prefect")
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.propagate = False  # the terminal shows bars, not lines
        logger.addHandler(handler)
    prefect.addHandler(warnings)
    try:
        yield
    finally:
        prefect.removeHandler(warnings)
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
        for each in (handler, warnings):
            with suppress(OSError):  # on a full disk; the run ends with its own error
                each.close()
