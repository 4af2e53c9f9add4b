"""Failure drills with a real server and worker: each killed in the middle of every part of the line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from benchmarks._drill_line import Outcome, published, settings, sound
from benchmarks._drill_server import FINAL, ROOT, Cluster, alive, wait_until
from benchmarks._drill_steps import PARTS
from benchmarks._drills import Ground

SERVER_AWAY_S = 5.0


def _configured(ground: Ground, name: str) -> tuple[Path, Path]:
    """Write the configuration of a run; return its file and its folder `out`."""
    folder = ground.folder / name
    folder.mkdir()
    (folder / "run.yaml").write_text(json.dumps(settings(ground.inputs, folder / "out")), encoding="utf-8")
    return folder / "run.yaml", folder / "out"


def _stopped(cluster: Cluster, ground: Ground, config: Path, out: Path, part: str) -> tuple[str, int]:
    """Start a run that stops in the middle of a part; return the run's id and the process, once it has stopped."""
    marker = out.parent / f"stopped-{part.replace('/', '-')}"
    step = (ground.calm.steps or {})[part] // 2 + 1
    asked = {"out": str(out), "part": part, "step": step, "marker": str(marker)}
    cluster.asked.write_text(json.dumps(asked), encoding="utf-8")
    run = cluster.submit(config)
    wait_until(lambda: marker.exists() and bool(marker.read_text()), 300)
    cluster.stopped.append(int(marker.read_text()))
    return run, cluster.stopped[-1]


def worker_killed(ground: Ground, cluster: Cluster) -> list[Outcome]:
    """Kill the worker's machine in the middle of every part of one run, which is continued by another worker."""
    config, out = _configured(ground, "worker")
    outcomes = []
    for part in PARTS:
        started = time.monotonic()
        run, _ = _stopped(cluster, ground, config, out, part)
        cluster.kill_worker()
        whole = sound(out) and not (out / "run.json").exists()
        cluster.call_crashed(run)
        cluster.start_worker()
        outcomes.append(Outcome("kill -9 of the worker", part, "killed", whole, time.monotonic() - started))
    state, message = cluster.ended(cluster.submit(config))
    same = state == "COMPLETED" and published(out) == ground.calm.fingerprint
    told = f"killed; after the last kill the run ends as {worded(state, message)}"
    return [replace(each, then=told, same=each.same and same) for each in outcomes]


def worker_killed_alone(ground: Ground, cluster: Cluster) -> Iterator[Outcome]:
    """Kill the worker but not the run that it has started."""
    config, out = _configured(ground, "alone")
    run, pid = _stopped(cluster, ground, config, out, "work/tiling")
    cluster.kill_worker(alone=True)
    cluster.start_worker()
    told, same = _resumed(cluster, ground, (run, pid), config, out)
    yield Outcome("kill -9 of the worker alone", "work/tiling", told, same)


def worker_left_dead(ground: Ground, cluster: Cluster) -> Iterator[Outcome]:
    """Kill the worker's machine and say nothing: the automation frees the deployment for the next run."""
    config, out = _configured(ground, "left")
    run, _ = _stopped(cluster, ground, config, out, "work/texts")
    cluster.kill_worker()
    cluster.start_worker()
    started, again = time.monotonic(), cluster.submit(config)
    crashed = cluster.ended(run, 900)[0]
    waited = time.monotonic() - started
    state, message = cluster.ended(again)
    same = (crashed, state) == ("CRASHED", "COMPLETED") and published(out) == ground.calm.fingerprint
    told = f"after {waited:.0f} s {crashed.lower()}; the next run, which waited, ends as {worded(state, message)}"
    yield Outcome("kill -9 of the worker, nobody looks", "work/texts", told, same)


def server_killed(ground: Ground, cluster: Cluster) -> Iterator[Outcome]:
    """Kill the server in the middle of every part of one run, for five seconds."""
    config, out = _configured(ground, "server")
    for part in PARTS:
        (out / "run.json").unlink(missing_ok=True)
        _take_back(out, part)
        run, pid = _stopped(cluster, ground, config, out, part)
        cluster.kill_server()
        os.kill(pid, signal.SIGCONT)
        time.sleep(SERVER_AWAY_S)
        cluster.start_server()
        told, same = _resumed(cluster, ground, (run, pid), config, out)
        yield Outcome("kill -9 of the server", part, told, same)


def _resumed(cluster: Cluster, ground: Ground, run: tuple[str, int], config: Path, out: Path) -> tuple[str, bool]:
    """Let a run go on, and start another where it comes to nothing; return how both end, and whether all is well."""
    with suppress(ProcessLookupError):
        os.kill(run[1], signal.SIGCONT)
    wait_until(lambda: not alive(run[1]), 300)
    limit = time.monotonic() + 30
    while (state := cluster.state(run[0]))[0] not in FINAL and time.monotonic() < limit:
        time.sleep(0.5)
    told = f"the run ends as {worded(*state)}"
    if state[0] not in FINAL:
        cluster.call_crashed(run[0])
    if published(out) == ground.calm.fingerprint:
        return told, True
    again, message = cluster.ended(cluster.submit(config))
    told += f"; the next one ends as {worded(again, message)}"
    return told, again == "COMPLETED" and published(out) == ground.calm.fingerprint


def worded(state: str, message: str) -> str:
    """Return how a run has ended, in words."""
    return state.lower() if state == "COMPLETED" or not message else f"{state.lower()} ({message[:80]})"


def _take_back(out: Path, part: str) -> None:
    """Remove what a part of the line has written, and all after it, so that the next run has to do it."""
    for later in PARTS[PARTS.index(part) :]:
        shutil.rmtree(out / later, ignore_errors=True)


def faked_clock(ground: Ground) -> Iterator[Outcome]:
    """Run the line in a process whose whole clock, files among it, jumps a day back under libfaketime."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        yield Outcome("clock moved, libfaketime", "", "not tried: apt-get install libfaketime", False)
        return
    _, out = _configured(ground, "faked")
    jump = ground.folder / "jump"
    jump.write_text("+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(jump),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    command = [sys.executable, "-c", _LINE, json.dumps(settings(ground.inputs, out))]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (out / "work" / "graph").is_dir():
            time.sleep(0.02)
        jump.write_text("-1d")
        at_last = process.communicate()[0]
    if process.returncode == 0 and float(at_last) > time.time() - 80_000:
        raise SystemExit("the clock did not move")
    told = "failed" if process.returncode else "went on"
    yield Outcome("clock moved, libfaketime", "-1 day, in the middle", told, published(out) == ground.calm.fingerprint)


_LINE = """
import json, sys, time
from benchmarks._without_prefect import line, without_prefect
from flows.config import RunConfig
with without_prefect():
    line(RunConfig.model_validate(json.loads(sys.argv[1])))
print(time.time())
"""
