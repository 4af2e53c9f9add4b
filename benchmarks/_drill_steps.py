"""The steps that a process makes below a run's folder, counted by the part of the line that they belong to.

Light: `_pause/sitecustomize` loads it in every Python process of a drill.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

# What stands below `out`, in the order in which the line writes it: the part of the line that a write belongs to.
PARTS = (
    "work/slides", "work/tiling", "work/graph", "work/reports", "work/features", "work/texts", "work/questions",
    "work/screening", "work/queue", "review", "work/reviewed", "store", ".report.html.partial",
)  # fmt: skip
_STEPS = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "tempfile.mkdtemp"}


def part_of(path: str, out: str) -> str | None:
    """Return which part of the line a path below `out` belongs to."""
    below = path[len(out) :].lstrip("/") if path.startswith(out) else ""
    return next((part for part in PARTS if below.startswith(part)), None)


def watch_steps(out: str, at: Callable[[str, int], None]) -> Counter[str]:
    """Have a function called at every step of this process below `out`, with the part and the number of the step."""
    counts: Counter[str] = Counter()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS and (part := part_of(str(arguments[0]), out)):
            counts[part] = number = counts[part] + 1  # `number` is this thread's own: none is passed over
            at(part, number)

    sys.addaudithook(watch)
    return counts
