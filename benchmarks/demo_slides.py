"""How long does drawing the demo's slides take, how much memory and disk, and is a finished demo left alone?

Usage: python -m benchmarks.demo_slides [--quick] [--json FILE] [--slides N] [--workers N]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._claims import Claim, claim, keep, tell
from demo.make import make_demo

TOTAL_GOAL_S, RERUN_GOAL_S, PEAK_GOAL_MIB = 60.0, 0.5, 600.0
FULL = 24  # slides that the goal for the whole demo is about


def used_cpu_s() -> float:
    """Return the processor seconds of this process and of its ended workers."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mib() -> float:
    """Return the largest resident memory of any one process so far."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def measure(out: Path, slides: int, workers: int | None) -> dict[str, Any]:
    """Draw the demo, then ask for it again.

    Returns:
        Wall and processor seconds, the moment at which each slide was done, sizes in bytes, and the rerun's seconds.
    """
    done_s: list[float] = []
    start, cpu = time.perf_counter(), used_cpu_s()
    ended = time.perf_counter
    arguments: dict[str, Any] = {"slides": slides, "patients": max(1, slides // 2), "workers": workers}
    make_demo(out, progress=lambda done, _: done_s.append(ended() - start) if done else None, **arguments)
    wall_s, cpu_s = time.perf_counter() - start, used_cpu_s() - cpu
    again = time.perf_counter()
    make_demo(out, **arguments)
    sizes = {path.name: path.stat().st_size for path in sorted((out / "slides").iterdir())}
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "done_s": done_s,
        "sizes": sizes,
        "rerun_s": time.perf_counter() - again,
        "peak_mib": peak_mib(),
    }


def at_most(name: str, value: float, unit: str, goal: float) -> Claim:
    """Return one claim; the goal is not to be exceeded."""
    return claim(name, round(value, 2), unit, f"<= {goal:g}", value <= goal)


def claims(found: dict[str, Any], slides: int) -> list[Claim]:
    """Return what the measurement says about the goals; the goal of a smaller demo is its share of the whole."""
    return [
        at_most(f"drawing {slides} slides", found["wall_s"], "s", TOTAL_GOAL_S * slides / FULL),
        at_most("a slide", found["cpu_s"] / slides, "CPU s", 2 * TOTAL_GOAL_S / FULL),
        at_most("largest process", found["peak_mib"], "MiB", PEAK_GOAL_MIB),
        at_most("a finished demo again", found["rerun_s"], "s", RERUN_GOAL_S),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the claims here")
    parser.add_argument("--quick", action="store_true", help="four slides instead of all")
    parser.add_argument("--slides", type=int, default=FULL)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    slides = 4 if options.quick else options.slides
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "demo", slides, options.workers)
    print(f"{'slide':<16}{'MiB':>8}")
    for name, size in found["sizes"].items():
        print(f"{name:<16}{size / 2**20:>8.1f}")
    gaps = [later - earlier for earlier, later in zip(found["done_s"], found["done_s"][1:], strict=False)]
    print(f"{'all':<16}{sum(found['sizes'].values()) / 2**20:>8.1f}")
    print(f"\n{found['wall_s']:.1f} s, {found['cpu_s']:.1f} CPU s; a slide every {sum(gaps) / max(1, len(gaps)):.2f} s")
    print()
    report = claims(found, slides)
    tell(report)
    keep(report, options.json)


if __name__ == "__main__":
    main()
