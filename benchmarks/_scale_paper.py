"""A cohort of 100,000 slides on paper: every figure is one that was measured here, times a count that is assumed."""

from __future__ import annotations

import hashlib
import time

from benchmarks._claims import Claim, claim

SLIDES = 100_000
SLIDE_GB = 2.0  # 200 TB in all (design)
FIELDS = 38  # of a slide, as in the demo's configuration
MACHINES, CORES, NETWORK_GB_S = 16, 32, 1.25  # 16 machines of 32 cores, 10 Gbit/s each
_BY_SLIDE = ("tiling", "features", "texts")
_IN_ONE = ("questions", "screening", "queue", "reviewed")


def hash_gb_s() -> float:
    """Return how many GB a core hashes in a second."""
    block, started, rounds = b"\0" * (1 << 24), time.process_time(), 20
    hasher = hashlib.sha256()
    for _ in range(rounds):
        hasher.update(block)
    return rounds * len(block) / 1e9 / (time.process_time() - started)


def paper(by_field: dict[str, float], release_s: float, task_s: float, mib_per_field: float) -> list[Claim]:
    """Return the hours and the memory that 100,000 slides take, and the bottleneck.

    Args:
        by_field: seconds of work of every stage, for one field of the demo.
        release_s: CPU time of the gate, the release and the report, for one field of the demo.
        task_s: CPU time that Prefect adds to one task; the process of the flow spends it.
        mib_per_field: growth of the peak memory, which one process of the stages over all slides has.
    """
    all_fields = SLIDES * FIELDS
    cores = MACHINES * CORES
    hours = {
        "reading 200 TB over the network": SLIDES * SLIDE_GB / (MACHINES * NETWORK_GB_S) / 3600,
        "hashing 200 TB, on all cores": SLIDES * SLIDE_GB / hash_gb_s() / cores / 3600,
    }
    for stage in _BY_SLIDE:
        hours[f"{stage}, on all cores"] = by_field[stage] * all_fields / cores / 3600
    for stage in _IN_ONE:
        hours[f"{stage}, in one process"] = by_field[stage] * all_fields / 3600
    hours["gate, release and report, in one process"] = release_s * all_fields / 3600
    hours["Prefect's part, in the process of the flow"] = task_s * 3 * SLIDES / 3600
    worst = max(hours, key=lambda name: hours[name])
    days, gib = sum(hours.values()) / 24, mib_per_field * all_fields / 1024
    cohort = f"{SLIDES:,} slides, {FIELDS} fields each, {MACHINES} x {CORES} cores"
    return [
        *(claim(f"on paper: {name}", round(value, 2), "h") for name, value in hours.items()),
        claim(f"on paper: all of it, one after another ({cohort})", round(days, 2), "days"),
        claim("on paper: memory of the stages in one process", round(gib, 2), "GiB"),
        claim(f"on paper: the bottleneck is {worst}", round(hours[worst] / days / 24, 2), "of the time"),
    ]
