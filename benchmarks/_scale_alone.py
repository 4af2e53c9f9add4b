"""What the stages that one process does over all slides take: each alone in a fork, over shards that are there."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._claims import Claim, claim
from benchmarks._drill_line import Fork
from benchmarks._scale_prefect import BY_SLIDE
from benchmarks._without_prefect import stage, without_prefect
from flows.config import RunConfig
from flows.plan import make_plan

GATE = "gate and release"
IN_ONE = {
    "reports and questions": "generate_samples",  # features and texts are there
    "screening": "screen_leakage",
    "queue": "open_review",
    "reviewed": "close_review",
    GATE: "publish_release",
    "report": "write_report",
}
"""What is told of, and the stage of the line."""
MIB, PAGE_KIB = 1024, resource.getpagesize() // 1024  # ru_maxrss counts in KiB


@dataclass(frozen=True)
class Taken:
    """What a stage took: CPU time in s, and MiB by which its peak memory exceeds what its process began with."""

    cpu_s: float
    mib: float


@dataclass(frozen=True)
class Alone:
    """What the stages in one process take: the claims, and by stage what one field more takes."""

    rows: list[Claim]
    by_field: dict[str, Taken]


def first_slides(manifest: Path, slides: int) -> Path:
    """Write the first slides of a manifest beside it; return the file."""
    lines = manifest.read_text().splitlines()
    file = manifest.with_name(f"first-{slides}.csv")
    file.write_text("\n".join(lines[: slides + 1]) + "\n")
    return file


def alone(done: RunConfig, manifest: Path, sizes: Sequence[int]) -> Alone:
    """Measure every stage over the first slides of a finished run, at each size.

    What one field more takes is read off the last two sizes alone: small runs grow by what is set up once. For the
    memory of the gate even these are too small: see `_scale_gate`.

    Args:
        done: a run whose tiles, features and texts are there.
        manifest: that of the run.
        sizes: numbers of slides, rising; the last at most those of the run.
    """
    found: list[dict[str, Taken]] = []
    fields = []
    for slides in sizes:
        place = {"manifest": first_slides(manifest, slides), "out": done.out.with_name(f"first-{slides}")}
        config = done.model_copy(update={**place, "training": None})
        fields.append(Fork(_prepare, config, done.out / "work").result())
        found.append({name: Fork(_taken, config, flow).result() for name, flow in IN_ONE.items()})
    more = fields[-1] - fields[-2]
    rows, by_field = [], {}
    for name in IN_ONE:
        last, half = found[-1][name], found[-2][name]
        by_field[name] = Taken(max(0.0, last.cpu_s - half.cpu_s) / more, max(0.0, last.mib - half.mib) / more)
        rows.append(claim(f"{name} alone: CPU time of {fields[-1]} fields", last.cpu_s, "s"))
        rows.append(claim(f"{name} alone: memory of {fields[-1]} fields", last.mib, "MiB"))
        if name != GATE:
            rows.append(claim(f"{name} alone: memory of one field more", by_field[name].mib * MIB, "KiB"))
    return Alone(rows, by_field)


def _prepare(config: RunConfig, work: Path) -> int:
    """Give a run the shards of single slides that another has made; return its fields."""
    for name in (*BY_SLIDE, "graph"):
        shutil.copytree(work / name, config.out / "work" / name, copy_function=os.link)
    plan = make_plan(config)
    keys = {name: getattr(plan, name) for name in BY_SLIDE}
    if missing := [name for name, own in keys.items() if not all(plan.store.find(name, key) for key in own)]:
        raise SystemExit(f"the finished run lacks {', '.join(missing)}")
    with without_prefect():
        stage("tile_slides", config)  # lists the slides
    return sum(plan.store.open("features", key).info.rows["fields"] for key in plan.features)


def _taken(config: RunConfig, flow: str) -> Taken:
    with without_prefect():
        cpu = time.process_time()
        mib = peak_mib(stage, flow, config)
        return Taken(time.process_time() - cpu, mib)


def peak_mib(function: Callable[..., Any], *arguments: Any) -> float:
    """Call a function in a fresh fork; return by how many MiB the peak memory of its process exceeds what it had."""
    began = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB
    function(*arguments)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began) / MIB
