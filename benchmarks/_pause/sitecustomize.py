"""Stops a Python process in the middle of a part of the line, where a drill has asked for it; see `_drill_server`.

A process that has this folder on its path imports this file when it starts.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any


def _stop_where(asked: dict[str, Any]) -> None:
    from benchmarks._drill_steps import watch_steps

    def stop(part: str, step: int) -> None:
        if (part, step) == (asked["part"], asked["step"]):
            Path(asked["marker"]).write_text(str(os.getpid()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGSTOP)

    watch_steps(asked["out"], stop)


_file = Path(os.environ.get("SLIDESMITH_DRILL", "/nonexistent"))
if _file.is_file():
    _asked = json.loads(_file.read_text(encoding="utf-8"))
    if not Path(_asked["marker"]).exists():
        _stop_where(_asked)
