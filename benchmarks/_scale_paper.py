"""A cohort of 100,000 slides on paper: every figure is one that was measured here, times a count that is assumed."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

Claim = dict[str, Any]
SLIDES = 100_000
SLIDE_GB = 2.0  # 200 TB in all (design)
FIELDS = 38  # of a slide, as in the demo's configuration
MACHINES, CORES, NETWORK_GB_S = 16, 32, 1.25  # 16 machines of 32 cores, 10 Gbit/s each
_BY_SLIDE = ("tiling", "features", "texts")
_IN_ONE = ("questions", "screening", "queue", "reviewed")


def stage_seconds(work: Path) -> tuple[dict[str, float], int]:
    """Return the seconds of work of every stage of a finished run, and its fields."""
    seconds: dict[str, float] = defaultdict(float)
    fields = 0
    for path in work.glob("*/*/shard.json"):
        shard = json.loads(path.read_text())
        seconds[shard["stage"]] += shard["wall_s"]
        fields += shard["rows"].get("fields", 0) if shard["stage"] == "features" else 0
    return dict(seconds), fields


def hash_gb_s() -> float:
    """Return how many GB a core hashes in a second."""
    block, started, rounds = b"\0" * (1 << 24), time.process_time(), 20
    hasher = hashlib.sha256()
    for _ in range(rounds):
        hasher.update(block)
    return rounds * len(block) / 1e9 / (time.process_time() - started)


def paper(out: Path, task_s: float, release_s: float, mib_per_field: float) -> list[Claim]:
    """Return the hours and the memory that 100,000 slides take, and the bottleneck.

    Args:
        out: folder of a finished run of the demo.
        task_s: CPU time that Prefect adds to one task; the process of the flow spends it.
        release_s: CPU time of the gate, the release and the report, for one field.
        mib_per_field: growth of the peak memory, which one process of the stages over all slides has.
    """
    seconds, measured = stage_seconds(out / "work")
    all_fields = SLIDES * FIELDS
    cores = MACHINES * CORES
    hours: dict[str, float] = {
        "reading 200 TB over the network": SLIDES * SLIDE_GB / (MACHINES * NETWORK_GB_S) / 3600,
        "hashing 200 TB, on all cores": SLIDES * SLIDE_GB / hash_gb_s() / cores / 3600,
    }
    for stage in _BY_SLIDE:
        hours[f"{stage}, on all cores"] = seconds.get(stage, 0.0) / measured * all_fields / cores / 3600
    for stage in _IN_ONE:
        hours[f"{stage}, in one process"] = seconds.get(stage, 0.0) / measured * all_fields / 3600
    hours["gate, release and report, in one process"] = release_s * all_fields / 3600
    hours["Prefect's part, in the process of the flow"] = task_s * 3 * SLIDES / 3600
    memory = mib_per_field * all_fields / 1024
    rows = [_claim(f"on paper: {name}", value, "h") for name, value in hours.items()]
    worst = max(hours, key=lambda name: hours[name])
    rows.append(_claim("on paper: all of it, one after another", sum(hours.values()) / 24, "days"))
    rows.append(_claim("on paper: memory of the stages in one process", memory, "GiB"))
    rows.append(_claim(f"on paper: the bottleneck is {worst}", hours[worst] / sum(hours.values()), "of the time"))
    return rows


def _claim(name: str, value: float, unit: str) -> Claim:
    told = (
        f"{name} ({SLIDES:,} slides, {FIELDS} fields each, {MACHINES} x {CORES} cores)" if "all of it" in name else name
    )
    return {"claim": told, "value": round(value, 2), "unit": unit, "goal": "-", "reached": True}
