"""A cohort of 100,000 slides on paper: every figure is one that was measured here, times a count that is assumed."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from benchmarks._claims import Claim, claim
from benchmarks._scale_alone import Taken
from benchmarks._scale_prefect import TASKS_PER_SLIDE
from benchmarks._scale_tiling import TilingCost

SLIDES = 100_000
SLIDE_GB, GIGAPIXELS = 2.0, 8.0  # 200 TB in all (design); a quarter of a byte a pixel, as the demo's slides have
FIELDS = 38  # of a slide, as in the demo's configuration
MACHINES, CORES, NETWORK_GB_S = 16, 32, 1.25  # 16 machines of 32 cores and 256 GiB, 10 Gbit/s each
MACHINE_GIB = 256


def hash_gb_s() -> float:
    """Return how many GB a core hashes in a second."""
    block, started, rounds = b"\0" * (1 << 24), time.process_time(), 20
    hasher = hashlib.sha256()
    for _ in range(rounds):
        hasher.update(block)
    return rounds * len(block) / 1e9 / (time.process_time() - started)


@dataclass(frozen=True)
class Measured:
    """What the calculation is made from.

    Args:
        tiling: CPU time of a slide by its pixels and fields.
        each: seconds of work of one field by the other stages that go slide by slide.
        in_one: CPU time and memory of one field more by the stages that one process does over all slides.
        task_s: CPU time that Prefect adds to one task; the process of the flow spends it.
    """

    tiling: TilingCost
    each: dict[str, float]
    in_one: dict[str, Taken]
    task_s: float


def paper(measured: Measured) -> list[Claim]:
    """Return the hours and the memory that 100,000 slides take, and the bottleneck."""
    hours, gib = _hours(measured), _gib(measured)
    days, most, longest = sum(hours.values()) / 24, max(gib, key=gib.__getitem__), max(hours, key=hours.__getitem__)
    cohort = f"{SLIDES:,} slides of {GIGAPIXELS:g}e9 pixels, {FIELDS} fields each, {MACHINES} x {CORES} cores"
    rows = [
        *(claim(f"on paper: {name}", round(value, 2), "h") for name, value in hours.items()),
        claim(f"on paper: all of it, one after another ({cohort})", round(days, 2), "days"),
        *(claim(f"on paper: memory of {name}", round(value, 2), "GiB") for name, value in gib.items()),
    ]
    if gib[most] > MACHINE_GIB:
        enough = int(SLIDES * MACHINE_GIB / gib[most])
        rows.append(claim(f"on paper: slides for whose {most} {MACHINE_GIB} GiB are enough", enough, "slides"))
        needed = f"on paper: the bottleneck is the memory of {most}, where a machine has {MACHINE_GIB} GiB"
        rows.append(claim(needed, round(gib[most] / MACHINE_GIB, 2), "times what a machine has"))
    name = f"on paper: {'what takes longest' if gib[most] > MACHINE_GIB else 'the bottleneck'} is {longest}"
    return [*rows, claim(name, round(hours[longest] / days / 24, 2), "of the time")]


def _hours(measured: Measured) -> dict[str, float]:
    fields, cores = SLIDES * FIELDS, MACHINES * CORES
    hours = {
        "reading 200 TB over the network": SLIDES * SLIDE_GB / (MACHINES * NETWORK_GB_S) / 3600,
        "hashing 200 TB, on all cores": SLIDES * SLIDE_GB / hash_gb_s() / cores / 3600,
        "tiling, on all cores": measured.tiling.of(GIGAPIXELS, FIELDS) * SLIDES / cores / 3600,
    }
    for stage, spent in measured.each.items():
        hours[f"{stage}, on all cores"] = spent * fields / cores / 3600
    for stage, taken in measured.in_one.items():
        hours[f"{stage}, in one process"] = taken.cpu_s * fields / 3600
    hours["Prefect's part, in the process of the flow"] = measured.task_s * TASKS_PER_SLIDE * SLIDES / 3600
    return hours


def _gib(measured: Measured) -> dict[str, float]:
    return {stage: taken.mib * SLIDES * FIELDS / 1024 for stage, taken in measured.in_one.items()}
