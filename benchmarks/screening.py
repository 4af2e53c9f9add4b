"""Does screening find planted leaks, leave clean questions alone, repair what leaks, and do so quickly?

Usage: python -m benchmarks.screening [--quick] [--json FILE] [--example FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._per_item import AXES, Rule, per_item_questions
from benchmarks._question_files import write_example, write_messy
from benchmarks.generation import demo_fields
from tasks.screening.config import ScreeningConfig
from tasks.screening.formats import read_items
from tasks.screening.intervals import clustered_interval
from tasks.screening.items import Item
from tasks.screening.planted import LEAKS, planted_items
from tasks.screening.report import full_report, write_html
from tasks.screening.rounds import screen_and_drop
from tasks.screening.screen import screen

STRENGTHS = (0.3, 0.6, 1.0)
N = 200
RULES: tuple[Rule, ...] = ("one change", "closure")


def bounded(name: str, value: float, unit: str, goal: float | None, *, at_most: bool = True) -> Claim:
    """Return a claim with a goal for a number; without one it is a figure to know."""
    if goal is None:
        return claim(name, value, unit)
    reached = value <= goal if at_most else value >= goal
    return claim(name, value, unit, f"{'<=' if at_most else '>='} {goal:g}", reached)


def planted(seeds: int, strengths: tuple[float, ...]) -> list[Claim]:
    """Share of planted leaks whose cell fails, by strength, and how often the cue is named first or second."""
    names = {"word": "wording", "negation": "polarity"}
    rows = []
    for strength in strengths:
        found, named = [], []
        for leak in LEAKS[1:]:
            for seed in range(seeds):
                whole = screen(planted_items(leak, strength, N, seed=seed), ScreeningConfig()).whole
                found.append(whole.verdict == "fail")
                named.append(names.get(leak, leak) in [cue.name for cue in whole.cues[:2]])
        text = f"{len(found)} cells of {N} items, six kinds, strength {strength}"
        goal = 0.95 if strength >= 0.6 else None
        rows.append(bounded(f"planted leaks found: {text}", float(np.mean(found)), "share", goal, at_most=False))
        goal = 0.9 if strength >= 0.6 else None
        rows.append(bounded(f"their cue is named: {text}", float(np.mean(named)), "share", goal, at_most=False))
    return rows


def clean(seeds: int) -> list[Claim]:
    """Share of clean cells that fail, and of clean items that are flagged."""
    rows = []
    for n in (N, 1000):
        found = [screen(planted_items("none", 0.0, n, seed=seed), ScreeningConfig()) for seed in range(seeds)]
        failed = float(np.mean([one.whole.verdict == "fail" for one in found]))
        flagged = float(np.mean([len(one.item_flags) / n for one in found]))
        passed = float(np.mean([one.whole.verdict == "pass" for one in found]))
        rows += [
            bounded(f"clean cells that fail: {seeds} cells of {n} items", failed, "share", 0.05),
            bounded(f"clean items that are flagged: {seeds} x {n}", flagged, "share", 0.05),
            claim(f"clean cells that pass: {seeds} cells of {n} items", passed, "share"),
        ]
    return [*rows, grouped(seeds)]


def grouped(seeds: int) -> Claim:
    """Share of clean files of five cells, eight questions a patient, in which anything fails."""
    failed = []
    for seed in range(seeds):
        parts = [planted_items("none", 0.0, 120, seed=10 * seed + c, per_group=8, cell=f"cell {c}") for c in range(5)]
        failed.append(bool(screen([item for part in parts for item in part], ScreeningConfig()).failing))
    text = f"clean files in which a cell, or the whole, fails: {seeds} files of 5 cells, 8 questions a patient"
    return bounded(text, float(np.mean(failed)), "share", 0.05)


def coverage(draws: int, seeds: int) -> list[Claim]:
    """Share of 90% intervals that hold the truth: drawn answers of unlike patients, and fitted readers of many files.

    The truth of a fitted reader is its mean accuracy over all files that were drawn in the same way.
    """
    rows, rng = [], np.random.default_rng(0)
    for groups, spread, p in ((400, 0.0, 0.25), (30, 0.12, 0.4), (12, 0.0, 0.25)):
        held = []
        for _ in range(draws):
            group = rng.integers(groups, size=400)
            rate = np.clip(p + spread * rng.standard_normal(groups), 0.0, 1.0)
            credit = (rng.random(400) < rate[group]).astype(float)[:, None]
            found = clustered_interval(credit, group, confidence=0.90)
            held.append(found.low[0] <= p <= found.high[0])
        text = f"90% intervals that hold the truth: {groups} patients, their rates spread by {spread:g}, {draws} draws"
        rows.append(bounded(text, float(np.mean(held)), "share", 0.87, at_most=False))
    config = ScreeningConfig(families=("logistic", "tfidf"), certifier=None)
    wholes = [screen(planted_items("word", 0.3, N, seed=seed), config).rows for seed in range(seeds)]
    for name in config.families:
        found_rows = [next(row for row in rows_ if row.reader == name) for rows_ in wholes]
        truth = float(np.mean([row.accuracy for row in found_rows]))
        held = [row.low <= truth <= row.high for row in found_rows]
        text = f"90% intervals that hold the truth: {name}, fitted to {seeds} files of {N} items with a leak of 0.3"
        rows.append(bounded(text, float(np.mean(held)), "share", 0.87, at_most=False))
    return rows


def repairs() -> list[Claim]:
    """Per-item questions over the demo's fields before and after repair, per dimension and rule for wrong options."""
    fields, rows = demo_fields(), []
    for rule in RULES:
        asked = [question for dimension in AXES for question in per_item_questions(fields, dimension, rule)]
        outcome = screen_and_drop(asked, ScreeningConfig())
        cells = [{cell.name: cell for cell in found.cells} for found in (outcome.rounds[0], outcome.rounds[-1])]
        held = {row.cell: row for row in outcome.rounds[-1].rows if row.family == "certifier" and row.level == "cell"}
        mended = {repair.cell: f"repaired for {repair.cues[0]}" for repair in outcome.repairs}
        for name in sorted(cells[0]):
            if cells[0][name].level != "cell":
                continue
            before, after = cells[0][name], cells[1].get(name)
            text = f"per item, {rule}, {before.name.split('/')[0]}"
            rows.append(claim(f"{text}: strongest reader before ({before.verdict})", before.worst.accuracy, "accuracy"))
            if after is None:
                rows.append(claim(f"{text}: questions left (cell dropped)", 0, "questions"))
                continue
            what = f"{mended.get(name, 'left as it is')}, {after.verdict}"
            bound = 0.30 if name in mended else None
            rows += [
                bounded(f"{text}: strongest reader after ({what})", after.worst.accuracy, "accuracy", bound),
                bounded(f"{text}: certifier after", held[name].accuracy, "accuracy", bound),
                claim(f"{text}: questions left of {before.n}", after.n, "questions"),
            ]
        failing = sum(cell.selected == "fail" for cell in cells[1].values())
        rows.append(bounded(f"per item, {rule}: cells that still fail", failing, "cells", 0))
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


def balance() -> list[Claim]:
    """Largest deviation from chance of any reader that selects, on exactly counterbalanced questions."""
    found = screen(counterbalanced(10, 20), ScreeningConfig())
    worst = max(abs(row.accuracy - 0.25) for row in found.rows if row.family != "certifier")
    flagged = len(found.item_flags) / len(found.panel.items)
    return [
        bounded("counterbalanced questions: largest deviation from chance", worst, "accuracy", 1e-9),
        bounded("counterbalanced questions that are flagged", flagged, "share", 0.05),
    ]


def measure(n: int) -> dict[str, float]:
    """Screen n questions in a process of its own; return seconds and peak memory."""
    command = [sys.executable, "-m", "benchmarks.screening", "--measure", str(n)]
    root = Path(__file__).resolve().parent.parent
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def measure_here(n: int) -> None:
    """Print what `slidesmith screen` does with a messy file of n rows in this process, and what it costs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messy.jsonl"
        write_messy(path, n)
        started, used = time.monotonic(), time.process_time()
        items, rejections = read_items(path)
        found = screen(items, ScreeningConfig())
        write_html(Path(folder) / "screening.html", [found], rejections, title="messy")
        json.dumps(full_report([found], rejections))
    costs = {"wall_s": time.monotonic() - started, "cpu_s": time.process_time() - used}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({**costs, "peak_gib": peak, "accounted": len(items) + len(rejections)}))


def speed(quick: bool) -> list[Claim]:
    """Seconds and memory by number of questions."""
    rows = []
    sizes = (1000, 6000) if quick else (1000, 6000, 100_000)
    measured = {n: measure(n) for n in sizes}
    cores = len(os.sched_getaffinity(0))
    rows.append(bounded(f"1,000 questions, 5 folds, {cores} cores", measured[1000]["wall_s"], "s", 60))
    rows.append(claim(f"6,000 questions, 5 folds, {cores} cores", measured[6000]["wall_s"], "s"))
    rows.append(bounded("6,000 questions, processor time", measured[6000]["cpu_s"], "s", 30))
    if not quick:
        large = measured[100_000]
        rows.append(bounded("100,000 rows, left out or read", large["accounted"], "rows", 100_000, at_most=False))
        rows.append(bounded("100,000 questions, peak memory", large["peak_gib"], "GiB", 4))
        rows.append(bounded("100,000 questions, processor time", large["cpu_s"], "s", 600))
        ratio = large["cpu_s"] / measured[6000]["cpu_s"] / (100_000 / 6000)
        rows.append(bounded("processor time per question, 100,000 against 6,000", ratio, "times", 1.5))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="finish within a minute")
    parser.add_argument("--json", type=Path, help="write the claims here")
    parser.add_argument("--example", type=Path, metavar="FILE", help="only write the questions of docs/screening.md")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.example:
        write_example(arguments.example)
        return
    if arguments.measure:
        measure_here(arguments.measure)
        return
    quick = arguments.quick
    rows = speed(quick) + balance() + repairs() + planted(*((1, STRENGTHS[1:2]) if quick else (10, STRENGTHS)))
    rows += clean(3 if quick else 40) + coverage(200 if quick else 2000, 5 if quick else 100)
    tell(rows)
    keep(rows, arguments.json)


if __name__ == "__main__":
    main()
