"""What screening reports in a terminal: one line per part, the cues of those that fail, what was left out."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from schemas.records import Rejection
from tasks.screening.board import CERTIFIER
from tasks.screening.report import percent, what_is_needed
from tasks.screening.screen import Cell, Screening

_STYLES = {"pass": "green", "fail": "bold red", "too few": "yellow"}
CELLS_SHOWN = 40  # beyond these, cells that are too small are left out


def _lines(screening: Screening) -> tuple[list[Cell], int]:
    """Return the parts that a terminal shows, and how many small ones it leaves out."""
    small = [cell for cell in screening.cells if cell.level == "cell" and cell.n < screening.config.min_items]
    if len(screening.cells) <= CELLS_SHOWN or len(small) <= 1:
        return list(screening.cells), 0
    left_out = {id(cell) for cell in small}
    return [cell for cell in screening.cells if id(cell) not in left_out], len(small)


def _table(screening: Screening, shown: Sequence[Cell]) -> Any:
    """Return one line per part."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("cell", "items", "chance", "strongest reader", "accuracy", "90% interval", "certifier", "verdict"):
        table.add_column(
            name.replace("90%", percent(screening.config.confidence).replace(".0", "")),
            justify="right" if name in ("items", "chance", "accuracy") else "left",
            no_wrap=name != "cell",
        )
    for cell in shown:
        worst = cell.worst
        held = [r for r in screening.rows if (r.level, r.cell, r.family) == (cell.level, cell.name, CERTIFIER)]
        verdict = cell.verdict if cell.verdict != "too few" else f"too few ({what_is_needed(cell, screening.config)})"
        table.add_row(
            cell.name,
            f"{cell.n:,}",
            percent(cell.chance),
            worst.reader,
            percent(worst.accuracy),
            f"{percent(worst.low)} to {percent(worst.high)}",
            percent(held[0].accuracy) if held else "-",
            Text(verdict, _STYLES[cell.verdict]),
        )
    return table


def _leak(cell: Cell) -> Iterator[Any]:
    """Yield lines about a part that fails: by which cues, what a reader loses without them, and words that tell."""
    from rich.text import Text

    cues = ", ".join(f"{cue.name} ({percent(cue.accuracy)} alone)" for cue in cell.cues[:3])
    yield Text.assemble("\n", (cell.name, "bold"), f" leaks by {cues or 'a combination of cues'}")
    if cell.importance:
        without = ", ".join(f"{i.cue} {percent(i.without)}" for i in cell.importance[:3])
        first = cell.importance[0]
        yield f"  {first.reader} answers {percent(first.accuracy)}; without {without}"
    for cue in cell.cues[:3]:
        if cue.examples:
            yield f"  {cue.name}: {', '.join(cue.examples)}"


def terminal_report(
    screening: Screening, rejections: Sequence[Rejection] = (), *, color: bool = False, width: int = 110
) -> str:
    """Return the report for a terminal: one line per part, the cues of those that fail, what was left out."""
    from rich.console import Console

    shown, small = _lines(screening)
    stream = io.StringIO()
    # Names come from anybody's file: brackets and colons in them are neither markup nor emoji.
    colors: Any = {"force_terminal": color, "no_color": not color}
    console = Console(file=stream, width=width, markup=False, emoji=False, highlight=False, **colors)
    console.print(_table(screening, shown))
    if small:
        console.print(f"and {small:,} cells of fewer than {screening.config.min_items} questions, too few to decide")
    for cell in screening.failing:
        for line in _leak(cell):
            console.print(line)
    for reason, number in sorted(Counter(row.reason for row in rejections).items()):
        example = next(row for row in rejections if row.reason == reason)
        text = f"{number:,} left out: {reason.replace('_', ' ')}, e.g. {example.item_id}: {example.detail}"
        console.print(text, soft_wrap=True)
    for reader, number in screening.board.unread.items():
        console.print(f"{reader} gave no usable answer to {number:,} questions", soft_wrap=True)
    console.print(f"\n{len(screening.item_flags):,} of {len(screening.panel.items):,} items flagged")
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
