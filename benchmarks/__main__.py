"""Run every benchmark and gather its claims: `python -m benchmarks [--quick] [--only NAME ...] [--tables]`.

Each script writes its claims as JSON under `benchmarks/results/`; from those files alone the figures of `README.md` and
all of `docs/figures.md` are written. `--quick` shows that every script runs and writes nothing that is kept.
`--tables` writes the tables from the claims that are there, without measuring. A script that fails leaves its last
claims as they were; the others' are written all the same, and the command fails at the end. The demo's release is made
before the first script where one of them trains on it, so that no script's figures count the making.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._demo import demo_release

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
README, FIGURES = ROOT / "README.md", ROOT / "docs" / "figures.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
ON_THE_DEMO = {"training", "training_gpu"}
"""Scripts that take the demo's release."""
HEAD = "| what | measured | goal | |\n|---|---|---|---|\n"


def scripts() -> list[str]:
    """Return the names of the benchmarks, in order."""
    return sorted(path.stem for path in HERE.glob("[a-z]*.py"))


def measure(name: str, quick: bool, results: Path) -> bool:
    """Run one benchmark in a process of its own; write its claims with the machine's load; return whether it ran."""
    print(f"== benchmarks.{name}", flush=True)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "claims.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(found), *(["--quick"] if quick else [])]
        if subprocess.run(command, cwd=ROOT, check=False).returncode or not found.is_file():
            print(f"benchmarks.{name} failed", file=sys.stderr)
            return False
        claims = json.loads(found.read_text())
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = {"date": when, "cores": os.cpu_count(), "load_before": round(load, 1)}
    (results / f"{name}.json").write_text(json.dumps({"machine": machine, "claims": claims}, indent=1) + "\n")
    return True


def row(claim: dict[str, Any]) -> str:
    """Return one claim as a row of a table."""
    reached = "" if claim["goal"] in ("", "-", None) else "reached" if claim["reached"] else "**not reached**"
    value = f"{claim['value']:,g}" if isinstance(claim["value"], int | float) else str(claim["value"])
    return f"| {claim['claim']} | {value} {claim['unit']} | {claim['goal'] or ''} | {reached} |\n"


def figures(results: Path) -> str:
    """Return `docs/figures.md`: every claim of every script."""
    parts = ["# Figures\n\nWritten by `python -m benchmarks` from what the scripts measured; edited by nobody.\n"]
    for file in sorted(results.glob("*.json")):
        held = json.loads(file.read_text())
        machine = held["machine"]
        parts.append(
            f"\n## {file.stem.replace('_', ' ').capitalize()}\n`python -m benchmarks.{file.stem}`, {machine['date']}, "
            f"{machine['cores']} cores, load before {machine['load_before']}\n\n{HEAD}"
        )
        parts += [row(claim) for claim in held["claims"]]
    return "".join(parts)


def readme(text: str, results: Path) -> str:
    """Return the README with the claims of the whole line between its two marks, and a count of all the others."""
    lines = ["\n", HEAD]
    line = results / "whole_line.json"
    lines += [row(claim) for claim in json.loads(line.read_text())["claims"]] if line.is_file() else []
    every = [claim for file in sorted(results.glob("*.json")) for claim in json.loads(file.read_text())["claims"]]
    judged = [claim for claim in every if claim["goal"] not in ("", "-", None)]
    reached = sum(bool(claim["reached"]) for claim in judged)
    lines.append(
        f"\nOf all {len(judged)} claims with a goal {reached} are reached: [docs/figures.md](docs/figures.md).\n"
    )
    before, rest = text.split(BEGIN)
    return before + BEGIN + "".join(lines) + END + rest.split(END)[1]


def write_tables(results: Path) -> None:
    """Write both documents."""
    FIGURES.write_text(figures(results))
    README.write_text(readme(README.read_text(), results))


def main() -> None:
    """Measure, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=scripts(), metavar="NAME")
    parser.add_argument("--tables", action="store_true")
    arguments = parser.parse_args()
    if arguments.tables:
        write_tables(RESULTS)
        return
    names = arguments.only or scripts()
    if not ON_THE_DEMO.isdisjoint(names):
        demo_release()
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) if arguments.quick else RESULTS
        results.mkdir(exist_ok=True)
        failed = [name for name in names if not measure(name, arguments.quick, results)]
    if not arguments.quick:
        write_tables(RESULTS)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
