"""What screening reports: rows for machines, one page for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from schemas.records import Rejection
from tasks.screening.board import CERTIFIER
from tasks.screening.config import ScreeningConfig
from tasks.screening.gates import ReaderCell
from tasks.screening.repair import Repair
from tasks.screening.screen import DECIDING, Cell, Screening

TEMPLATES = Path(__file__).parent / "templates"
_ROUNDED = ("chance", "accuracy", "low", "high", "p_adjusted")
FLAGS_SHOWN = 200


def _plain(row: ReaderCell) -> dict[str, Any]:
    return {name: round(value, 4) if name in _ROUNDED else value for name, value in asdict(row).items()}


def result_rows(screening: Screening) -> list[dict[str, Any]]:
    """Return one object per reader and part: `{reader, cell, accuracy, low, high, n, verdict, ...}`."""
    return [_plain(row) for row in screening.rows]


def _parts(screening: Screening) -> dict[tuple[str, str], list[ReaderCell]]:
    """Return the rows of every part by its level and name."""
    parts: dict[tuple[str, str], list[ReaderCell]] = {}
    for row in screening.rows:
        parts.setdefault((row.level, row.cell), []).append(row)
    return parts


def _shown(screening: Screening) -> list[ReaderCell]:
    """Return the rows worth a look: readers that decide, the strongest untrained one, and whoever fails a part."""
    rows = []
    for part in _parts(screening).values():
        untrained = [row for row in part if row.family not in DECIDING]
        strongest = max(untrained, key=lambda row: row.accuracy, default=None)
        rows += [row for row in part if row.family in DECIDING or row.verdict == "fail" or row is strongest]
    return rows


def leak_table(rounds: Sequence[Screening]) -> list[dict[str, Any]]:
    """Return the leak table of a release: what is left after the last round, and dropped cells as they were."""
    if not rounds:
        return []
    rows = [_plain(row) for row in _shown(rounds[-1])]
    left = set(rounds[-1].panel.cells)
    for screening in reversed(rounds[:-1]):
        gone = set(screening.panel.cells) - left
        rows += [_plain(row) for row in _shown(screening) if row.level == "cell" and row.cell in gone]
        left |= gone
    return rows


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "level": cell.level,
        "n": cell.n,
        "groups": cell.groups,
        "chance": round(cell.chance, 4),
        "verdict": cell.verdict,
        "selected": cell.selected,
        "items_needed": cell.needed,
        "undecided": cell.undecided,
        "strongest": _plain(cell.worst),
        "cues": [
            {"cue": c.name, "bits": round(c.bits, 4), "reader": c.reader, "accuracy": round(c.accuracy, 4)}
            | {"examples": list(c.examples)}
            for c in cell.cues
        ],
        "importance": [
            {"cue": i.cue, "reader": i.reader, "accuracy": round(i.accuracy, 4), "without": round(i.without, 4)}
            for i in cell.importance
        ],
    }


def full_report(
    rounds: Sequence[Screening], rejections: Sequence[Rejection], repairs: Sequence[Repair] = ()
) -> dict[str, Any]:
    """Return everything but the items: summary, cells with cues, readers in every part, rejections, rounds, repairs."""
    by_reason = Counter(row.reason for row in rejections)
    return {
        "summary": rounds[-1].summary() if rounds else None,
        "rejected": dict(sorted(by_reason.items())),
        "repairs": [asdict(repair) for repair in repairs],
        "history": cell_history(rounds),
        "rounds": [
            {"summary": r.summary(), "cells": [_cell(cell) for cell in r.cells], "results": result_rows(r)}
            for r in rounds
        ],
    }


def cell_history(rounds: Sequence[Screening]) -> list[dict[str, Any]]:
    """Return, for every cell that failed in some round, what each screening found in it; None where it was gone.

    Each entry is `{cell, rounds: [{n, reader, accuracy, low, high, certifier, verdict} or None]}`.
    """
    failed = sorted({cell.name for r in rounds for cell in r.cells if cell.level == "cell" and cell.verdict == "fail"})
    return [{"cell": name, "rounds": [_in_round(found, name) for found in rounds]} for name in failed]


def _in_round(screening: Screening, name: str) -> dict[str, Any] | None:
    cell = next((cell for cell in screening.cells if (cell.level, cell.name) == ("cell", name)), None)
    if cell is None:
        return None
    held = [row for row in screening.rows if (row.level, row.cell, row.family) == ("cell", name, CERTIFIER)]
    worst = {key: value for key, value in _plain(cell.worst).items() if key in ("reader", "accuracy", "low", "high")}
    certifier = round(held[0].accuracy, 4) if held else None
    return {"n": cell.n, **worst, "certifier": certifier, "verdict": cell.verdict}


def percent(value: float) -> str:
    """Return a share for people."""
    return f"{100.0 * value:.1f}%"


def what_is_needed(cell: Cell, config: ScreeningConfig) -> str:
    """Return what a part that is too small lacks: groups, or questions."""
    if cell.groups < config.min_groups:
        return f"{config.min_groups} groups needed"
    return f"about {cell.needed:,} needed"


def _histogram(screening: Screening) -> dict[str, Any]:
    """Return the share of items by information (bits) that the strongest deciding reader has about the key."""
    whole = [row for row in screening.rows if row.cell == screening.whole.name and row.level == screening.whole.level]
    column = max(range(len(whole)), key=lambda c: (whole[c].family in DECIDING, whole[c].accuracy))
    edges = np.linspace(-2.0, 2.0, 41)
    counts, _ = np.histogram(np.clip(screening.gate.pvi_bits[:, column], -2.0, 2.0), edges)
    most = max(int(counts.max()), 1)
    bars = [(10 * i, round(100.0 * count / most, 2), int(count)) for i, count in enumerate(counts.tolist())]
    return {"reader": whole[column].reader, "bars": bars, "mean": float(screening.gate.pvi_bits[:, column].mean())}


def _flag_rows(screening: Screening) -> list[dict[str, Any]]:
    surest = sorted(screening.item_flags.items(), key=lambda flagged: (-flagged[1][0].p, flagged[0]))[:FLAGS_SHOWN]
    items = {item.item_id: item for item in screening.panel.items}
    return [{"item": items[name], "flags": flags} for name, flags in surest]


def write_html(
    path: Path,
    rounds: Sequence[Screening],
    rejections: Sequence[Rejection],
    *,
    title: str,
    source: str = "",
    repairs: Sequence[Repair] = (),
) -> None:
    """Write the report as one page that loads nothing.

    Args:
        path: where to.
        rounds: screenings, first to last; the page shows the last, and what changed since the first.
        rejections: items left out, with reasons.
        title: heading.
        source: name of the screened file, if any.
        repairs: what was done between the rounds.
    """
    import jinja2
    import markupsafe

    last = rounds[-1]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["broken"] = lambda name: markupsafe.escape(name).replace("/", markupsafe.Markup("/<wbr>"))
    environment.filters["needed"] = what_is_needed
    environment.filters["percent"] = percent
    environment.filters["thousands"] = lambda value: f"{value:,}"
    readers = list(dict.fromkeys(row.reader for row in _shown(last) if row.family in DECIDING))
    by_place = {(row.reader, row.level, row.cell): row for row in last.rows}
    page = environment.get_template("screening.html.j2").render(
        title=title,
        source=source,
        screening=last,
        summary=last.summary(),
        rounds=[r.summary() for r in rounds],
        repairs=list(repairs),
        history=cell_history(rounds) if len(rounds) > 1 else [],
        readers=readers,
        by_place=by_place,
        shown=_shown(last),
        histogram=_histogram(last),
        reasons=sorted(Counter(row.reason for row in rejections).items()),
        rejections=list(rejections)[:FLAGS_SHOWN],
        flags=_flag_rows(last),
        flags_shown=FLAGS_SHOWN,
    )
    path.write_text(page, encoding="utf-8")
