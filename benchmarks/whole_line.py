"""What the README claims of the demo: its times, its memory, its contents, its model.

Run `python -m benchmarks.whole_line [--quick] [--json FILE]`. `--quick` draws and tiles two slides only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import psutil

from benchmarks._claims import Claim, claim, keep, tell
from schemas.records.generation import DIMENSIONS, OPERATOR_ROLES

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "flows.cli"]


def timed(*arguments: str) -> tuple[float, float, float]:
    """Run a verb; return wall time in s, CPU time in s and the peak of its processes' memory together in GiB."""
    before = os.times()
    started = time.monotonic()
    process = subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(1.0):
            peak = max(peak, resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"slidesmith {' '.join(arguments)} ended with {code}")
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return time.monotonic() - started, cpu, peak


def resident(pid: int) -> float:
    """Return the memory (proportional set size) of a process and all its children, in GiB."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for member in family:
        try:
            total += member.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 2**30


def help_s() -> float:
    """Return the median wall time of `slidesmith --help` over five calls."""
    return sorted(timed("--help")[0] for _ in range(5))[2]


def contents(release: Path) -> list[Claim]:
    """Return what the release holds."""
    questions, perturbations = (f"read_parquet('{release}/data/{t}/*.parquet')" for t in ("questions", "perturbations"))
    with duckdb.connect() as connection:
        counts = dict(connection.execute(f"select dimension, count(*) from {questions} group by 1").fetchall())  # noqa: S608
        made = set(connection.execute(f"select distinct operator, role from {perturbations}").fetchall())  # noqa: S608
    wanted = {(operator, role) for operator, roles in OPERATOR_ROLES.items() for role in roles}
    total = sum(counts.values())
    rows = [claim("questions in the release", total, "questions", ">= 4000", total >= 4000)]
    rows += [
        claim(
            f"questions: {dimension}", counts.get(dimension, 0), "questions", ">= 300", counts.get(dimension, 0) >= 300
        )
        for dimension in DIMENSIONS
    ]
    rows.append(claim("operators x roles", len(made & wanted), "pairs", f"{len(wanted)}", made == wanted))
    return rows


def model(evaluation: dict[str, Any]) -> list[Claim]:
    """Return what the model answers, with and without the image."""
    rows = []
    for measure, goal in (("pairwise", 0.90), ("multiple_choice", 0.80)):
        score = evaluation[measure]["accuracy"]
        rows.append(claim(f"held-out {measure}", score, "accuracy", f">= {goal:.2f}", score >= goal))
        blind = evaluation["blind"][measure]
        chance = evaluation[measure].get("chance", 0.5)
        inside = blind["interval"][0] <= chance <= blind["interval"][1]
        rows.append(
            claim(f"held-out {measure}, no image", blind["accuracy"], "accuracy", f"covers {chance:.2f}", inside)
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started = help_s()
    rows = [claim("slidesmith --help", started, "s", "<= 1", started <= 1)]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "demo-out"
        if arguments.quick:
            wall, cpu, _ = timed("tile", str(quick_slides(out)), "--out", str(out / "tiles"))
            rows += [claim("tile 2 slides, with Prefect", wall, "s", "-", True), claim("... CPU", cpu, "s", "-", True)]
        else:
            wall, cpu, peak = timed("demo", "--out", str(out))
            rows.append(claim("demo from nothing", wall, "s", "<= 180", wall <= 180))
            rows.append(claim("demo from nothing, CPU time", cpu, "s", "-", True))
            rows.append(claim("peak memory of all processes", peak, "GiB", "<= 2", peak <= 2))
            again = timed("demo", "--out", str(out))[0]
            rows.append(claim("rerun with nothing changed", again, "s", "<= 15", again <= 15))
            rows += contents(out / "store" / "slidesmith-demo" / "1.0.0")
            rows += model(json.loads((out / "evaluation.json").read_text()))
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    tell(rows)
    keep(rows, arguments.json)


def quick_slides(out: Path) -> Path:
    """Draw two slides and return their folder."""
    from demo.make import make_demo

    make_demo(out / "input", slides=2, patients=2, workers=1)
    return out / "input" / "slides"


if __name__ == "__main__":
    main()
