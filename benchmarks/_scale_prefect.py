"""What Prefect adds to a run: the same line as a flow with Prefect's own server, and without Prefect, in new processes.

`python -m benchmarks._scale_prefect FILE` runs the line of a configuration without Prefect.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._claims import Claim, claim
from flows.config import RunConfig, load_config

ROOT = Path(__file__).resolve().parents[1]
LONG_S = 300.0  # "a run of >= 5 minutes"
LONG_SLIDES = 96
LONG_ALONE = "long-alone"
TRIES = 2
BY_SLIDE = ("tiling", "features", "texts")
TASKS_PER_SLIDE, OTHER_TASKS = 3, 8  # tile, attach, write texts; and one task each of the other steps

_IMPORTED = tuple(
    f"prefect.{name}" for name in ("artifacts", "client.orchestration", "flows", "futures", "task_runners", "tasks")
)
"""What the flows import of Prefect."""
Subset = Callable[..., RunConfig]


@dataclass(frozen=True)
class Spent:
    """CPU time of a process and all that it started, and wall time, in s."""

    cpu_s: float
    wall_s: float


def demo_settings() -> tuple[dict[str, Any], int]:
    """Return the demo's configuration as plain data, for slides that are there, and how many slides it draws."""
    import yaml

    settings: dict[str, Any] = yaml.safe_load((ROOT / "demo" / "config.yaml").read_text())
    return settings, settings.pop("demo")["slides"]


def long_run(folder: Path, demo_s: dict[str, float]) -> RunConfig:
    """Draw slides like the demo's; return the configuration of a run over them that takes five minutes or more.

    Args:
        folder: for the slides and the run.
        demo_s: seconds of work by stage of the demo's run, by which so many epochs are chosen.
    """
    from demo.make import SIZE_PX0, make_sized
    from demo.plan import plan_demo

    make_sized(folder, plan_demo(LONG_SLIDES, LONG_SLIDES // 2, 3), SIZE_PX0, 3)
    settings, slides = demo_settings()
    settings["training"]["epochs"] = epochs(demo_s, slides, settings["training"]["epochs"])
    place = {"slides": folder / "slides", "manifest": folder / "manifest.csv", "out": folder / "out"}
    return RunConfig.model_validate({**settings, **place})


def epochs(demo_s: dict[str, float], slides: int, demo_epochs: int) -> int:
    """Return after how many epochs of training a long run has taken five minutes.

    Of those, a tenth is left to what leaves no seconds in a shard: the gate, the release, the report and Prefect.

    Args:
        demo_s: seconds of work by stage of the demo's run.
        slides: of the demo.
        demo_epochs: that the demo trains.
    """
    times, cores = LONG_SLIDES / slides, len(os.sched_getaffinity(0))
    alone_s = sum(spent for name, spent in demo_s.items() if name not in (*BY_SLIDE, "model"))
    rest_s = times * (alone_s + sum(demo_s[name] for name in BY_SLIDE) / cores)
    return max(1, math.ceil((0.9 * LONG_S - rest_s) / (times * demo_s["model"] / demo_epochs)))


def prefect_claims(small: Subset, sizes: list[int], long: RunConfig) -> tuple[float, list[Claim]]:
    """Measure what Prefect adds to a task and to a run; return s of CPU time of a task, and the claims.

    Args:
        small: makes the configuration of a run from a number of slides and the name of its folder.
        sizes: the two numbers of slides between which a task's cost is read.
        long: a run of five minutes or more. Its slides are as small as the demo's; a real one takes longer for the
            same three tasks.
    """
    with tempfile.TemporaryDirectory() as home:  # made by the first run, as on any machine that Prefect has run on
        with_prefect(small(sizes[0], "first"), home)
        added = []
        for size in sizes:
            cpu_s = min(with_prefect(small(size, f"prefect-{size}-{k}"), home).cpu_s for k in range(TRIES))
            added.append(cpu_s - min(alone(small(size, f"alone-{size}-{k}")).cpu_s for k in range(TRIES)))
        each = (added[1] - added[0]) / (TASKS_PER_SLIDE * (sizes[1] - sizes[0]))
        fixed = added[0] - each * (TASKS_PER_SLIDE * sizes[0] + OTHER_TASKS)
        plain = alone(long.model_copy(update={"out": long.out.with_name(LONG_ALONE)}))
        flow = with_prefect(long, home)
    share = (flow.cpu_s - plain.cpu_s) / flow.cpu_s
    at_least = flow.wall_s >= LONG_S
    return each, [
        claim("Prefect's CPU time, one task", each * 1000, "ms"),
        claim("Prefect's CPU time, whatever the tasks (import, server, flows)", fixed, "s"),
        claim("a long run, wall time", flow.wall_s, "s", f">= {LONG_S:.0f}", at_least),
        claim("a long run without Prefect, wall time", plain.wall_s, "s"),
        claim("Prefect's share of a long run's CPU time", share, "share", "<= 0.05", share <= 0.05 and at_least),
    ]


def with_prefect(config: RunConfig, home: str) -> Spent:
    """Run the line as a flow, with Prefect's own server, in a process of its own."""
    environment = {"PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    return _spent(("flows.cli", "run", "--config", str(_file(config))), environment)


def alone(config: RunConfig) -> Spent:
    """Run the line without Prefect in a process of its own; importing Prefect, which it does too, is taken off."""
    found = _spent(("benchmarks._scale_prefect", str(_file(config))), {})
    nothing = _spent(("timeit", "-n1", "-r1", "pass"), {})
    imported = _spent(("timeit", "-n1", "-r1", "-s", f"import {', '.join(_IMPORTED)}", "pass"), {})
    return Spent(found.cpu_s - (imported.cpu_s - nothing.cpu_s), found.wall_s)


def _file(config: RunConfig) -> Path:
    path = config.out.with_suffix(".yaml")
    path.write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    return path


def _spent(module: tuple[str, ...], environment: dict[str, str]) -> Spent:
    before, begun = _children(), time.monotonic()
    command: list[Any] = [sys.executable, "-m", *module]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return Spent(_children() - before, time.monotonic() - begun)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _alone(file: Path) -> None:
    from benchmarks._without_prefect import line, without_prefect

    with without_prefect():
        line(load_config(file))


if __name__ == "__main__":
    _alone(Path(sys.argv[1]))
