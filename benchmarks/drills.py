"""Failure drills: whatever is killed, full, away, corrupt or moved, the release ends as that of an undisturbed run.

Run `python -m benchmarks.drills [--only NAME ...] [--quick] [--json FILE]`. The drills without a server are those of
`tests/drills`, at every place and with outages of 30 s; the others kill a real Prefect server and worker in the middle
of every part of the line, and run the demo ten times in one worker. `--quick` is what the tests do. The table of the
last whole run stands in docs/drills.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks._drill_line import Outcome
from benchmarks._drill_server import Cluster
from benchmarks._drills import DRILLS, Ground, load
from benchmarks._drills_served import (
    faked_clock,
    server_killed,
    soak,
    worker_killed,
    worker_killed_alone,
    worker_left_dead,
)

Claim = dict[str, Any]
SERVED: dict[str, Callable[[Ground, Cluster], Iterable[Outcome]]] = {
    "worker_killed": worker_killed,
    "worker_killed_alone": worker_killed_alone,
    "worker_left_dead": worker_left_dead,
    "server_killed": server_killed,
    "soak": soak,
}
LONE: dict[str, Callable[[Ground], Iterable[Outcome]]] = {**DRILLS, "faked_clock": faked_clock}


def drilled(names: list[str], folder: Path, whole: bool) -> list[Outcome]:
    """Run drills and return how they ended."""
    load()
    ground = Ground(folder, whole)
    outcomes = []
    for name in names:
        if name in LONE:
            outcomes += timed(LONE[name], ground)
    served = [name for name in names if name in SERVED]
    if served:
        with Cluster(folder / "cluster") as cluster:
            for name in served:
                outcomes += timed(SERVED[name], ground, cluster)
    return outcomes


def timed(drill: Callable[..., Iterable[Outcome]], *where: Any) -> list[Outcome]:
    """Run one drill and print how it ends; an outcome that says no time of its own has that since the one before."""
    begun, told = time.monotonic(), []
    for outcome in drill(*where):
        lasted = outcome.wall_s or time.monotonic() - begun
        told.append(replace(outcome, wall_s=round(lasted, 1)))
        begun = time.monotonic()
        print(row(told[-1]), flush=True)
    return told


def row(outcome: Outcome) -> str:
    """Return one outcome as a row of the table of docs/drills.md."""
    mark = "yes" if outcome.same else "**NO**"
    return f"| {outcome.drill} | {outcome.disturbed} | {outcome.then} | {mark} | {outcome.wall_s:.0f} |"


def claims(outcomes: list[Outcome]) -> list[Claim]:
    """Return a claim per drill: of so many disturbances so many ended with the release of an undisturbed run."""
    found = []
    for drill in dict.fromkeys(outcome.drill for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.drill == drill]
        sound = sum(outcome.same for outcome in own)
        name = f"{drill}: ended as undisturbed, of {len(own)}"
        found.append({"claim": name, "value": sound, "unit": "", "goal": str(len(own)), "reached": sound == len(own)})
    return found


def main() -> None:
    """Run drills, print how each ended, and write the claims where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*LONE, *SERVED], metavar="NAME", help="some drills")
    parser.add_argument("--quick", action="store_true", help="the drills of the tests, at fewer places, no server")
    parser.add_argument("--json", type=Path, help="file for the claims")
    parser.add_argument("--outcomes", type=Path, help="file for the outcomes one by one")
    arguments = parser.parse_args()
    quick = ["killed", "full", "two_at_once", "corrupt", "clock"]
    names = arguments.only or (quick if arguments.quick else [*LONE, *SERVED])
    with tempfile.TemporaryDirectory(prefix="slidesmith-drills-") as folder:
        outcomes = drilled(names, Path(folder), not arguments.quick)
    found = claims(outcomes)
    for entry in found:
        print(f"{entry['claim']}: {entry['value']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.outcomes:
        arguments.outcomes.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n")


if __name__ == "__main__":
    main()
