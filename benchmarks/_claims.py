"""What every script says of what it measured: one claim a line, for people and for `python -m benchmarks`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Claim = dict[str, Any]


def claim(name: str, value: Any, unit: str, goal: str = "-", reached: bool = True) -> Claim:
    """Return one claim; a goal of `-` is told and not bounded. Numbers are kept to four places, small ones to nine."""
    shown = round(value, 9 if abs(value) < 0.01 else 4) if isinstance(value, float) else value
    return {"claim": name, "value": shown, "unit": unit, "goal": goal, "reached": bool(reached)}


def tell(rows: Sequence[Claim]) -> None:
    """Print claims as they come."""
    for row in rows:
        shown = f"{row['value']:,g}" if isinstance(row["value"], int | float) else str(row["value"])
        mark = ("yes" if row["reached"] else "NO") if row["goal"] not in ("", "-") else ""
        print(f"{row['claim']:<72} {shown:>12}  {row['unit']:<42} {row['goal']:<18} {mark}".rstrip(), flush=True)


def keep(rows: Sequence[Claim], file: Path | None) -> None:
    """Write claims as JSON where a file is named."""
    if file:
        file.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")


class Figures:
    """Claims that are told one by one, as a long script finds them."""

    def __init__(self) -> None:
        self.rows: list[Claim] = []

    def add(self, name: str, value: Any, unit: str, goal: str = "-", reached: bool = True) -> None:
        """Record and print one claim."""
        self.rows.append(claim(name, value, unit, goal, reached))
        tell(self.rows[-1:])
