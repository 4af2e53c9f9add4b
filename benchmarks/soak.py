"""The demo again and again in one worker, and small runs again and again in one process: memory stays flat.

Run `python -m benchmarks.soak [--rounds N] [--quick] [--json FILE]`. Every demo begins with an empty folder and ends
with the same release and the same model. A worker starts a process for every run, so a leak of the line itself would
not show there: therefore small runs follow one another in one process too. `--quick` does these alone.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._drill_line import Fork, draw_inputs, settings
from benchmarks._drill_server import FINAL, Cluster
from benchmarks._drills import load
from benchmarks._drills_trained import demo_config, made
from benchmarks._without_prefect import line, without_prefect
from flows.config import RunConfig

FIRST = 2  # rounds until caches are full
FLAT = 1.05


def flat(name: str, held: Sequence[float], goal: float = FLAT) -> list[Claim]:
    """Return how memory has grown from the third round to the last, each the median of three rounds about it."""
    early, late = (sorted(part)[len(part) // 2] for part in (held[FIRST : FIRST + 3], held[-3:]))
    return [
        claim(f"{name}: memory from round {FIRST + 1} on", early, "MiB"),
        claim(f"{name}: memory in round {len(held)}", late, "MiB"),
        claim(f"{name}: growth", late / early, "times", f"<= {goal}", late <= goal * early),
    ]


def in_one_process(folder: Path, rounds: int) -> list[Claim]:
    """Run the small line so often in one process."""
    load()
    held, prints = Fork(_rounds, draw_inputs(folder / "inputs"), folder, rounds).result()
    told = f"{rounds} small runs in one process"
    same = len(set(prints)) == 1
    return [claim(f"{told}: releases", len(set(prints)), "fingerprints", "1", same), *flat(told, held)]


def _rounds(inputs: Path, folder: Path, rounds: int) -> tuple[list[float], list[str]]:
    held, prints = [], []
    with without_prefect():
        for number in range(rounds):
            out = folder / f"small-{number}"
            prints.append(line(RunConfig.model_validate(settings(inputs, out))))
            shutil.rmtree(out)
            gc.collect()
            held.append(psutil.Process().memory_full_info().uss / 2**20)
    return held, prints


def in_one_worker(cluster: Cluster, folder: Path, rounds: int) -> list[Claim]:
    """Run the demo so often in one worker."""
    ends: list[tuple[str, ...]] = []
    held: list[tuple[float, float, float]] = []
    started = time.monotonic()
    for number in range(rounds):
        out = folder / f"demo-{number}"
        peak = _watched(cluster, demo_config(folder, out))
        ends.append(made(out))
        held.append((*cluster.memory_mib(), peak))
        shutil.rmtree(out)
    each = (time.monotonic() - started) / rounds
    same = len(set(ends)) == 1 and ends[0] != ()
    worker, server, runs = zip(*held, strict=True)
    told = f"{rounds} demos in one worker"
    return [
        claim(f"{told}: releases and models", len(set(ends)), "different ones", "1", same),
        claim(f"{told}: one of them", each, "s"),
        *flat(f"{told}, the worker", worker),
        *flat(f"{told}, peak of a run", runs),
        *flat(f"{told}, the server", server, 1.25),
    ]


def _watched(cluster: Cluster, config: Path) -> float:
    """Run a configuration to its end; return the peak of the memory of its processes in MiB."""
    run, peak = cluster.submit(config), 0.0
    while cluster.state(run)[0] not in FINAL:
        peak = max(peak, cluster.runs_mib())
        time.sleep(1)
    return peak


def measure(folder: Path, rounds: int, quick: bool) -> list[Claim]:
    """Measure everything."""
    rows = in_one_process(folder, 6 if quick else rounds)
    if not quick:
        with Cluster(folder / "cluster") as cluster:
            rows += in_one_worker(cluster, folder, rounds)
    return rows


def main() -> None:
    """Measure, print a table, and write the claims where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="six small runs in one process, no server")
    parser.add_argument("--json", type=Path, help="file for the claims")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slidesmith-soak-") as name:
        rows = measure(Path(name), arguments.rounds, arguments.quick)
    tell(rows)
    keep(rows, arguments.json)


if __name__ == "__main__":
    main()
