"""Does screening find planted leaks, leave clean questions alone, and do so quickly? One claim per row.

Usage: python benchmarks/screening.py [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tasks.screening.config import ScreeningConfig
from tasks.screening.items import Item
from tasks.screening.planted import LEAKS, planted_items
from tasks.screening.screen import screen

STRENGTHS = (0.3, 0.6, 1.0)
N = 200
Row = dict[str, Any]


def claim(name: str, value: float, unit: str, goal: float, *, at_most: bool) -> Row:
    """Return one line of the table."""
    reached = value <= goal if at_most else value >= goal
    return {"claim": name, "value": round(value, 4), "unit": unit, "goal": goal, "reached": bool(reached)}


def planted(seeds: int) -> list[Row]:
    """Share of planted leaks whose cell fails, by strength, and how often the cue is named first or second."""
    names = {"word": "wording", "negation": "polarity"}
    rows = []
    for strength in STRENGTHS:
        found, named = [], []
        for leak in LEAKS[1:]:
            for seed in range(seeds):
                whole = screen(planted_items(leak, strength, N, seed=seed), ScreeningConfig()).whole
                found.append(whole.verdict == "fail")
                named.append(names.get(leak, leak) in [cue.name for cue in whole.cues[:2]])
        text = f"{len(found)} cells of {N} items, six kinds, strength {strength}"
        goal = 0.95 if strength >= 0.6 else 0.0
        rows.append(claim(f"planted leaks found: {text}", float(np.mean(found)), "share", goal, at_most=False))
        goal = 0.9 if strength >= 0.6 else 0.0
        rows.append(claim(f"their cue is named: {text}", float(np.mean(named)), "share", goal, at_most=False))
    return rows


def clean(seeds: int) -> list[Row]:
    """Share of clean cells that fail, and of clean items that are flagged."""
    rows = []
    for n in (N, 1000):
        found = [screen(planted_items("none", 0.0, n, seed=seed), ScreeningConfig()) for seed in range(seeds)]
        failed = float(np.mean([one.whole.verdict == "fail" for one in found]))
        flagged = float(np.mean([len(one.item_flags) / n for one in found]))
        passed = float(np.mean([one.whole.verdict == "pass" for one in found]))
        rows += [
            claim(f"clean cells that fail: {seeds} cells of {n} items", failed, "share", 0.05, at_most=True),
            claim(f"clean items that are flagged: {seeds} x {n}", flagged, "share", 0.05, at_most=True),
            claim(f"clean cells that pass: {seeds} cells of {n} items", passed, "share", 0.0, at_most=False),
        ]
    return rows


def counterbalanced(sets: int, blocks: int) -> list[Item]:
    """Return items of exactly balanced option sets, of which no reader can know anything."""
    rng = np.random.default_rng(0)
    words = ["glandular", "solid", "papillary", "fused", "sparse", "dense", "marked", "mild", "stromal", "without"]
    items = []
    for number in range(sets):
        options = [" ".join(rng.choice(words, 3, replace=False)) + f" {place}" for place in range(4)]
        for block in range(blocks):
            shown, patient = tuple(options[place] for place in rng.permutation(4)), f"patient-{rng.integers(24)}"
            for key in range(4):
                name = f"{number}-{block}-{key}"
                items.append(Item(name, f"Set {number}?", shown, key, patient, option_set=f"set-{number}"))
    return items


def balance() -> list[Row]:
    """Largest deviation from chance of any reader that selects, on exactly counterbalanced questions."""
    found = screen(counterbalanced(10, 20), ScreeningConfig())
    worst = max(abs(row.accuracy - 0.25) for row in found.rows if row.family != "certifier")
    flagged = len(found.item_flags) / len(found.panel.items)
    return [
        claim("counterbalanced questions: largest deviation from chance", worst, "accuracy", 1e-9, at_most=True),
        claim("counterbalanced questions that are flagged", flagged, "share", 0.05, at_most=True),
    ]


def measure(n: int) -> dict[str, float]:
    """Screen n questions in a process of its own; return seconds and peak memory."""
    command = [sys.executable, __file__, "--measure", str(n)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def measure_here(n: int) -> None:
    """Print what screening n questions costs in this process."""
    started, used = time.monotonic(), time.process_time()
    cells = [item for cell in range(10) for item in planted_items("word", 0.1, n // 10, seed=cell, cell=f"cell {cell}")]
    made, made_cpu = time.monotonic(), time.process_time()
    screen(cells, ScreeningConfig())
    print(
        json.dumps(
            {
                "wall_s": time.monotonic() - made,
                "cpu_s": time.process_time() - made_cpu,
                "making_s": made - started,
                "making_cpu_s": made_cpu - used,
                "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            }
        )
    )


def speed(quick: bool) -> list[Row]:
    """Seconds and memory by number of questions."""
    rows = []
    sizes = (1000, 6000) if quick else (1000, 6000, 100_000)
    measured = {n: measure(n) for n in sizes}
    cores = len(os.sched_getaffinity(0))
    rows.append(claim(f"1,000 questions, 5 folds, {cores} cores", measured[1000]["wall_s"], "s", 60, at_most=True))
    rows.append(claim(f"6,000 questions, 5 folds, {cores} cores", measured[6000]["wall_s"], "s", 15, at_most=True))
    rows.append(claim("6,000 questions, processor time", measured[6000]["cpu_s"], "s", 30, at_most=True))
    if not quick:
        large = measured[100_000]
        rows.append(claim("100,000 questions, peak memory", large["peak_gib"], "GiB", 4, at_most=True))
        rows.append(claim("100,000 questions, processor time", large["cpu_s"], "s", 600, at_most=True))
        ratio = large["cpu_s"] / measured[6000]["cpu_s"] / (100_000 / 6000)
        rows.append(claim("processor time per question, 100,000 against 6,000", ratio, "times", 1.5, at_most=True))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="finish within a minute")
    parser.add_argument("--json", type=Path, help="write the claims here")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure_here(arguments.measure)
        return
    rows = speed(arguments.quick) + balance() + planted(1 if arguments.quick else 10)
    rows += clean(6 if arguments.quick else 40)
    width = max(len(row["claim"]) for row in rows)
    for row in rows:
        print(f"{row['claim']:{width}}  {row['value']:>10.4g} {row['unit']:9} goal {row['goal']:g}", end="  ")
        print("reached" if row["reached"] else "NOT REACHED")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
