"""What drills are made of: small inputs, a line in a process of its own, and a process that dies where it is told to.

Processes are forked from one that has loaded everything, and run the flows' code without Prefect's server (see
`_without_prefect`): seconds instead of minutes. `_drill_server` has the real server and worker.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks._drill_steps import watch_steps
from benchmarks._without_prefect import line, without_prefect
from flows.config import RunConfig
from schemas.errors import SlidesmithError
from tasks.releases.read import list_releases, open_release
from tasks.releases.stores import open_store
from tasks.releases.verify import verify

DATASET, VERSION = "drill", "1.0.0"
SLIDES, SIZE_PX0 = 8, (3072, 3072)
SMALL: dict[str, Any] = {
    "tiling": {
        "scales_mpp": {"low": 2.0, "mid": 1.0, "high": 0.5},
        "tile_px": 96,
        "centres": {"kind": "sampled", "max_fields_per_slide": 6},
    },
    # Eight patients of one slide: nearly all stand in one split, or no set of questions is balanced.
    "generation": {"splits": {"train": 0.8, "val": 0.1, "test": 0.1}},
}


@dataclass(frozen=True)
class Outcome:
    """How one drill ended.

    Args:
        drill: which one.
        disturbed: what was done to the run.
        then: how the disturbed run ended: `went on`, or the error that it ended with; and how its rerun ended.
        same: whether the release is at last, a rerun later where it failed, the one of an undisturbed run.
        wall_s: how long all of it took.
    """

    drill: str
    disturbed: str
    then: str
    same: bool
    wall_s: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How a run ended: a fingerprint, an error that the command line tells in one line, or neither: killed."""

    fingerprint: str | None = None
    error: str | None = None
    clear: bool = True
    steps: dict[str, int] | None = None
    loaded: tuple[str, ...] = ()

    @property
    def then(self) -> str:
        """How it ended, in words."""
        return "went on" if self.fingerprint else self.error or "killed"


def timed(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Yield outcomes as they come; one that says no time of its own has that since the one before."""
    begun = time.monotonic()
    for outcome in outcomes:
        yield replace(outcome, wall_s=round(outcome.wall_s or time.monotonic() - begun, 1))
        begun = time.monotonic()


def draw_inputs(folder: Path) -> Path:
    """Draw small slides with reports and manifest; return their folder."""
    from demo.make import make_sized
    from demo.plan import plan_demo

    make_sized(folder, plan_demo(SLIDES, SLIDES, 3), SIZE_PX0, 3, workers=1)
    return folder


def settings(inputs: Path, out: Path, **more: Any) -> dict[str, Any]:
    """Return the configuration of a small run as plain data."""
    return {
        "slides": str(inputs / "slides"),
        "manifest": str(inputs / "manifest.csv"),
        "out": str(out),
        **SMALL,
        "release": {"dataset": DATASET, "version": VERSION},
        **more,
    }


class Fork:
    """A function in a fork of this process."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        context = multiprocessing.get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=lambda: sender.send(function(*arguments)))
        self._process.start()
        sender.close()

    def result(self) -> Any:
        """Return what the function returned, None where it was killed."""
        try:
            found = self._receiver.recv()
        except EOFError:
            found = None
        self._process.join()
        if self._process.exitcode not in (0, -signal.SIGKILL):
            raise SystemExit(f"a process of a drill ended with {self._process.exitcode}")
        return found


def run(config: RunConfig, before: Callable[[], Any] | None = None) -> Ended:
    """Run the line in a fork of this process and say how it ended; `before` is called there first."""
    return Fork(attempt, config, before).result() or Ended()


def attempt(config: RunConfig, before: Callable[[], Any] | None = None) -> Ended:
    """Run the line here and say how it ended."""
    if before is not None:
        before()
    steps, before_it = watch_steps(str(config.out), lambda _part, _step: None), set(sys.modules)
    try:
        with without_prefect():
            return Ended(line(config), steps=dict(steps), loaded=tuple(set(sys.modules) - before_it))
    except (SlidesmithError, OSError) as error:  # what the command line tells in one line
        return Ended(error=f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a drill tells every end
        return Ended(error=f"{type(error).__name__}: {error}", clear=False)


def dies_at(out: Path, part: str, step: int) -> Callable[[], None]:
    """Return what has a process killed, as `kill -9` would, at its n-th step in a part of the line."""

    def die(here: str, count: int) -> None:
        if (here, count) == (part, step):
            os.kill(os.getpid(), signal.SIGKILL)

    def before() -> None:
        watch_steps(str(out), die)

    return before


def sound(out: Path) -> bool:
    """Return whether a run's folder shows a whole release or none, and an outcome only with a release."""
    store = open_store(out / "store")
    releases = list_releases(store) if (out / "store").is_dir() else []
    return all(not verify(release) for release in releases) and ((not (out / "run.json").exists()) or bool(releases))


def published(out: Path) -> str | None:
    """Return the fingerprint of the release of a run's folder, None where there is none or it is damaged."""
    if not (out / "run.json").exists() or not sound(out):
        return None
    outcome = json.loads((out / "run.json").read_text())
    release = open_release(open_store(out / "store"), DATASET, outcome["release"]["path"].rpartition("/")[2])
    return release.fingerprint if release.fingerprint == outcome["release"]["fingerprint"] else None
