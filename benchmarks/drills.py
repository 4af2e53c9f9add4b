"""Failure drills: whatever is killed, full, away, corrupt or moved, the release ends as that of an undisturbed run.

Run `python -m benchmarks.drills [--only NAME ...] [--quick] [--json FILE]`. The drills without a server are those of
`tests/drills`, at every place and with outages of 30 s; the others kill a real Prefect server and worker in the middle
of every part of the line. `--quick` is what the tests do. A run of all drills writes its table into docs/drills.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._drill_line import Outcome, timed
from benchmarks._drill_server import ROOT, Cluster
from benchmarks._drills import DRILLS, Ground, load
from benchmarks._drills_served import faked_clock, server_killed, worker_killed, worker_killed_alone, worker_left_dead
from benchmarks._drills_trained import training_killed

PAGE = ROOT / "docs" / "drills.md"
BEGIN, END = "<!-- outcomes: begin -->\n", "<!-- outcomes: end -->"
HEAD = "| drill | disturbed | then | same release | s |\n|---|---|---|---|---|\n"
SERVED: dict[str, Callable[[Ground, Cluster], Iterable[Outcome]]] = {
    "worker_killed": worker_killed,
    "worker_killed_alone": worker_killed_alone,
    "worker_left_dead": worker_left_dead,
    "server_killed": server_killed,
    "training_killed": training_killed,
}
LONE: dict[str, Callable[[Ground], Iterable[Outcome]]] = {**DRILLS, "faked_clock": faked_clock}


def drilled(names: list[str], folder: Path, whole: bool) -> Iterator[Outcome]:
    """Run drills and yield how they end."""
    load()
    ground = Ground(folder, whole)
    for name in filter(LONE.__contains__, names):
        yield from timed(LONE[name](ground))
    served = [name for name in names if name in SERVED]
    if served:
        with Cluster(folder / "cluster") as cluster:
            for name in served:
                yield from timed(SERVED[name](ground, cluster))


def row(outcome: Outcome) -> str:
    """Return one outcome as a row of the table."""
    mark = "yes" if outcome.same else "**NO**"
    then = " ".join(outcome.then.split()).replace("|", "/")
    return f"| {outcome.drill} | {outcome.disturbed} | {then} | {mark} | {outcome.wall_s:.0f} |"


def write_table(rows: list[str], load_before: float) -> None:
    """Put the rows into the page, in the place of those of the run before."""
    before, rest = PAGE.read_text().split(BEGIN)
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    told = (
        f"Written by `python -m benchmarks.drills`, {when}, {os.cpu_count()} cores, load before {load_before:.1f}.\n\n"
    )
    PAGE.write_text(before + BEGIN + told + HEAD + "".join(f"{row}\n" for row in rows) + END + rest.split(END)[1])


def claims(outcomes: list[Outcome]) -> list[Claim]:
    """Return a claim per drill: of so many disturbances so many ended with the release of an undisturbed run."""
    found = []
    for drill in dict.fromkeys(outcome.drill for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.drill == drill]
        sound = sum(outcome.same for outcome in own)
        name = f"{drill}: ended as undisturbed, of {len(own)}"
        found.append(claim(name, sound, "disturbances", str(len(own)), sound == len(own)))
    return found


def main() -> None:
    """Run drills, print how each ended, and write the claims where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*LONE, *SERVED], metavar="NAME", help="some drills")
    parser.add_argument("--quick", action="store_true", help="the drills of the tests, at fewer places, no server")
    parser.add_argument("--json", type=Path, help="file for the claims")
    arguments = parser.parse_args()
    quick = ["killed", "full", "two_at_once", "corrupt", "clock", "store_away", "endpoint_away"]
    names = arguments.only or (quick if arguments.quick else [*LONE, *SERVED])
    load_before, outcomes, rows = os.getloadavg()[0], [], []
    print(HEAD, end="")
    with tempfile.TemporaryDirectory(prefix="slidesmith-drills-") as folder:
        for outcome in drilled(names, Path(folder), not arguments.quick):
            outcomes.append(outcome)
            rows.append(row(outcome))
            print(rows[-1], flush=True)
    if not (arguments.only or arguments.quick):
        write_table(rows, load_before)
    found = claims(outcomes)
    tell(found)
    keep(found, arguments.json)


if __name__ == "__main__":
    main()
