"""What a run costs as it grows: against slides, against workers, Prefect's share, reruns, and 100,000 slides on paper.

Run `python -m benchmarks.scale [--quick] [--json FILE]`: about 25 minutes. Runs are forks of one process that has
imported every module that a run comes to, with the flows' own code (`_without_prefect`), so that CPU time and peak
memory are those of the work. `--quick` measures 1 and 2 times the slides and leaves the demo out.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._drill_line import SMALL, Fork
from benchmarks._scale_alone import GATE, alone, first_slides
from benchmarks._scale_gate import IMAGES_PER_FIELD, gate_memory
from benchmarks._scale_paper import Measured, paper
from benchmarks._scale_prefect import LONG_ALONE, LONG_SLIDES, demo_settings, long_run, prefect_claims
from benchmarks._scale_reruns import reruns
from benchmarks._scale_tiling import tiling_cost
from benchmarks._without_prefect import STAGES, stage, without_prefect
from flows.config import RunConfig

UNIT, SIZE_PX0 = 16, (3072, 3072)  # of fewer slides, screening and the gate have not come to their full work
FEW = 8  # slides that have something of every part
ALONE = (LONG_SLIDES // 3, LONG_SLIDES)  # slides
GIB = 2**20  # of ru_maxrss, which counts in KiB


@dataclass(frozen=True)
class Cost:
    """What one run cost: CPU time in s, peak memory in GiB."""

    cpu_s: float
    peak_gib: float


def draw(folder: Path, slides: int) -> Path:
    """Draw small slides of as many patients; return their folder."""
    from demo.make import make_sized
    from demo.plan import plan_demo

    # No folds: the narrowest of them vanish on slides so small, which drawing does not expect.
    plans = plan_demo(slides, slides, 3)
    whole = tuple(replace(plan, artefacts=tuple(k for k in plan.artefacts if k != "fold")) for plan in plans)
    make_sized(folder, whole, SIZE_PX0, 3)
    return folder


def subset(inputs: Path, slides: int, out: Path, **more: Any) -> RunConfig:
    """Return the configuration of a run over the first slides."""
    manifest = first_slides(inputs / "manifest.csv", slides)
    settings = {**SMALL, "release": {"dataset": "scale"}, "runner": {"workers": 1}, **more}
    return RunConfig.model_validate({"slides": inputs / "slides", "manifest": manifest, "out": out, **settings})


def cost(config: RunConfig) -> Cost:
    """Run the line in a fork and return what it cost."""
    found: Cost = Fork(_cost, config).result()
    return found


def _cost(config: RunConfig) -> Cost:
    cpu = cpu_of(config, *STAGES)
    return Cost(cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB)


def load(config: RunConfig) -> None:
    """Import here what a run imports, so that no fork has to; the run itself is a fork."""
    for name in STAGES:
        import_module(f"flows.{name}")
    for name in Fork(_loaded, config).result():
        with contextlib.suppress(ImportError):  # what an extension module is called inside may be no name of a file
            import_module(name)


def _loaded(config: RunConfig) -> list[str]:
    before = set(sys.modules)
    cpu_of(config, *STAGES)
    return [name for name in sys.modules if name not in before]


def cpu_of(config: RunConfig, *stages: str) -> float:
    """Run stages in this process, which has loaded them, without Prefect; return their CPU time in s."""
    with without_prefect():
        cpu = time.process_time()
        for name in stages:
            stage(name, config)
        return time.process_time() - cpu


def fitted(sizes: list[int], costs: list[float]) -> tuple[float, float, float]:
    """Return slope and intercept of the straight line through costs, and its largest residual as a share."""
    mean_x, mean_y = sum(sizes) / len(sizes), sum(costs) / len(costs)
    spread = sum((x - mean_x) ** 2 for x in sizes)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(sizes, costs, strict=True)) / spread
    intercept = mean_y - slope * mean_x
    worst = max(abs(y - intercept - slope * x) / y for x, y in zip(sizes, costs, strict=True))
    return slope, intercept, worst


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Return the exponent of the power law through marginal costs: 1 where twice the slides cost twice as much more.

    Needs three sizes or more: two steps from one to the next.
    """
    steps = [(b - a) / (y - x) for x, y, a, b in zip(sizes, sizes[1:], costs, costs[1:], strict=False)]
    middles = [math.log((x + y) / 2) for x, y in pairwise(sizes)]
    rates = [math.log(max(step, 1e-9)) for step in steps]
    mean_m, mean_r = sum(middles) / len(middles), sum(rates) / len(rates)
    spread = sum((m - mean_m) ** 2 for m in middles)
    return 1 + sum((m - mean_m) * (r - mean_r) for m, r in zip(middles, rates, strict=True)) / spread


def against_work(inputs: Path, folder: Path, sizes: list[int]) -> list[Claim]:
    """Measure runs of 1, 2, 4, 8 times the slides."""
    repeats = 2 if len(sizes) > 2 else 1
    tries = [[cost(subset(inputs, n, folder / f"work-{n}-{k}")) for n in sizes] for k in range(repeats)]  # interleaved
    best = [min((row[at] for row in tries), key=lambda found: found.cpu_s) for at in range(len(sizes))]
    rows = []
    for size, found in zip(sizes, best, strict=True):
        told = f"{size} slides ({size // sizes[0]}x)"
        rows.append(claim(f"CPU time of {told}", found.cpu_s, "s"))
        rows.append(claim(f"peak memory of {told}", found.peak_gib, "GiB"))
    cpu = [found.cpu_s for found in best]
    slope, intercept, worst = fitted(sizes, cpu)
    rows.append(claim("CPU time of one slide more", slope, "s"))
    rows.append(claim("CPU time of a run whatever its slides", intercept, "s"))
    if len(sizes) > 2:  # through two points goes every straight line
        power = exponent(sizes, cpu)
        rows.append(claim("largest distance from a straight line", worst, "share", "<= 0.10", worst <= 0.10))
        rows.append(claim("exponent of CPU time against slides", power, "", "<= 1.15", power <= 1.15))
    # Small runs grow by what libraries set up once: the last doubling alone tells how a large one grows.
    last, half = best[-1], best[-2]
    times = last.peak_gib / half.peak_gib
    grown = (last.peak_gib - half.peak_gib) * 1024
    rows.append(claim("peak memory of twice the slides", times, "times", "<= 2", times <= 2))
    rows.append(claim("peak memory of one slide more", grown / (sizes[-1] - sizes[-2]), "MiB"))
    return rows


def against_workers(inputs: Path, folder: Path, slides: int) -> list[Claim]:
    """Measure tiling, the stage that most time goes into, by one worker and by two, interleaved."""
    tries: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for number in range(3):
        for workers, found in tries.items():
            config = subset(inputs, slides, folder / f"workers-{workers}-{number}", runner={"workers": workers})
            found.append(Fork(_tiled, config).result())
    walls = {workers: min(wall for wall, _ in found) for workers, found in tries.items()}
    cpus = {workers: min(cpu for _, cpu in found) for workers, found in tries.items()}
    return [
        claim(f"tiling {slides} slides, 1 worker", walls[1], "s of wall time"),
        claim(f"tiling {slides} slides, 2 workers", walls[2], "s of wall time"),
        claim("2 workers / 1, wall time", walls[1] / walls[2], "times as fast"),
        claim("2 workers / 1, CPU time", cpus[2] / cpus[1], "times", "<= 1.15", cpus[2] <= 1.15 * cpus[1]),
    ]


def _tiled(config: RunConfig) -> tuple[float, float]:
    wall = time.monotonic()
    cpu = cpu_of(config, "tile_slides")
    return time.monotonic() - wall, cpu


def measure(folder: Path, quick: bool) -> Iterator[list[Claim]]:
    """Measure everything; yield claims part by part."""
    sizes = [FEW, 2 * FEW] if quick else [UNIT * times for times in (1, 2, 4, 8)]
    inputs = draw(folder / "inputs", sizes[-1])
    load(subset(inputs, FEW, folder / "warm"))
    yield against_work(inputs, folder, sizes)
    yield against_workers(inputs, folder, sizes[1])
    if quick:
        return
    demo = reruns(folder / "demo")
    yield demo.rows
    tiling, rows = tiling_cost(folder / "tiling", demo_settings()[0])
    yield rows
    long = long_run(folder / "long", demo.seconds)
    task_s, rows = prefect_claims(lambda slides, name: subset(inputs, slides, folder / name), [FEW, 4 * FEW], long)
    yield rows
    done = long.model_copy(update={"out": long.out.with_name(LONG_ALONE)})
    one_process = alone(done, long.slides.with_name("manifest.csv"), ALONE)
    yield one_process.rows
    image_mib, rows = gate_memory(folder / "gate")
    yield rows
    gate = replace(one_process.by_field[GATE], mib=IMAGES_PER_FIELD * image_mib)
    each = {name: demo.seconds[name] / demo.fields for name in ("features", "texts")}
    yield paper(Measured(tiling, each, one_process.by_field | {GATE: gate}, task_s))


def main() -> None:
    """Measure, print a table, and write the claims where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 and 2 times the slides, no demo")
    parser.add_argument("--json", type=Path, help="file for the claims")
    arguments = parser.parse_args()
    rows: list[Claim] = []
    with tempfile.TemporaryDirectory(prefix="slidesmith-scale-") as name:
        for part in measure(Path(name), arguments.quick):
            tell(part)
            rows += part
    keep(rows, arguments.json)


if __name__ == "__main__":
    main()
