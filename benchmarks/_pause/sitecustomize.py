"""Stops a Python process in the middle of a part of the line, where a drill has asked for it; see `_drill_server`.

A process that has this folder on its path imports this file when it starts.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

_STEPS = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "tempfile.mkdtemp"}


def _watch(out: str, part: str, step: int, marker: Path) -> None:
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in _STEPS and str(arguments[0]).startswith(f"{out}/{part}"):
            count += 1
            if count == step:
                marker.write_text(str(os.getpid()), encoding="utf-8")
                os.kill(os.getpid(), signal.SIGSTOP)

    sys.addaudithook(watch)


_asked = Path(os.environ.get("SLIDESMITH_DRILL", "/nonexistent"))
if _asked.is_file():
    _told = json.loads(_asked.read_text(encoding="utf-8"))
    if not Path(_told["marker"]).exists():
        _watch(_told["out"], _told["part"], _told["step"], Path(_told["marker"]))
