"""Failure drills with a real server and worker: each killed in the middle of every part of the line; the soak."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks._drill_line import PARTS, Outcome, published, settings, sound
from benchmarks._drill_server import FINAL, ROOT, Cluster, alive, wait_until
from benchmarks._drills import Ground

SERVER_AWAY_S = 5.0
ROUNDS = 10


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
    return run, int(marker.read_text())


def _wait_for_end(pid: int) -> None:
    wait_until(lambda: not alive(pid), 300)


def worker_killed(ground: Ground, cluster: Cluster) -> list[Outcome]:
    """Kill the worker's machine in the middle of every part of one run, which is continued by another worker."""
    config, out = _configured(ground, "worker")
    rows: list[tuple[str, bool, float]] = []
    for part in PARTS:
        started = time.monotonic()
        run, _ = _stopped(cluster, ground, config, out, part)
        cluster.kill_worker()
        rows.append((part, sound(out) and not (out / "run.json").exists(), time.monotonic() - started))
        cluster.call_crashed(run)
        cluster.start_worker()
    state, message = cluster.ended(cluster.submit(config))
    same = state == "COMPLETED" and published(out) == ground.calm.fingerprint
    told = "killed; the next run goes on" if state == "COMPLETED" else message
    return [Outcome("kill -9 of the worker", part, told, whole and same, wall) for part, whole, wall in rows]


def worker_killed_alone(ground: Ground, cluster: Cluster) -> list[Outcome]:
    """Kill the worker but not the run that it has started."""
    config, out = _configured(ground, "alone")
    run, pid = _stopped(cluster, ground, config, out, "work/tiling")
    cluster.kill_worker(alone=True)
    cluster.start_worker()
    os.kill(pid, signal.SIGCONT)
    _wait_for_end(pid)
    told, same = _after(cluster, run, config, out, str(ground.calm.fingerprint))
    return [Outcome("kill -9 of the worker alone", "work/tiling", told, same)]


def worker_left_dead(ground: Ground, cluster: Cluster) -> list[Outcome]:
    """Kill the worker's machine and say nothing: the automation frees the deployment for the next run."""
    config, out = _configured(ground, "left")
    _stopped(cluster, ground, config, out, "work/texts")
    cluster.kill_worker()
    cluster.start_worker()
    started = time.monotonic()
    state, message = cluster.ended(cluster.submit(config), 900)
    same = state == "COMPLETED" and published(out) == ground.calm.fingerprint
    told = f"the next run waits for the dead one's slot and has ended after {time.monotonic() - started:.0f} s"
    return [Outcome("kill -9 of the worker, nobody looks", "work/texts", told if same else message, same)]


def server_killed(ground: Ground, cluster: Cluster, parts: Sequence[str] = PARTS) -> Iterator[Outcome]:
    """Kill the server in the middle of every part of one run, for five seconds."""
    config, out = _configured(ground, "server")
    for part in parts:
        (out / "run.json").unlink(missing_ok=True)
        _take_back(out, part)
        started = time.monotonic()
        run, pid = _stopped(cluster, ground, config, out, part)
        cluster.kill_server()
        os.kill(pid, signal.SIGCONT)
        time.sleep(SERVER_AWAY_S)
        cluster.start_server()
        _wait_for_end(pid)
        told, same = _after(cluster, run, config, out, str(ground.calm.fingerprint))
        yield Outcome("kill -9 of the server", part, told, same, time.monotonic() - started)


def _after(cluster: Cluster, run: str, config: Path, out: Path, calm: str) -> tuple[str, bool]:
    limit = time.monotonic() + 30
    while (state := cluster.state(run))[0] == "RUNNING" and time.monotonic() < limit:
        time.sleep(0.5)
    if published(out) == calm:
        return f"the run goes on; its state: {state[0].lower()}", True
    if state[0] == "RUNNING":
        cluster.call_crashed(run)
    again = cluster.ended(cluster.submit(config))[0]
    return f"the run ends as {state[0].lower()} ({state[1][:80]}); the next one goes on", (
        again == "COMPLETED" and published(out) == calm
    )


def _take_back(out: Path, part: str) -> None:
    """Remove what a part of the line has written, and all after it, so that the next run has to do it."""
    for later in PARTS[PARTS.index(part) :]:
        shutil.rmtree(out / later, ignore_errors=True)


def soak(ground: Ground, cluster: Cluster) -> list[Outcome]:
    """Run a curation ten times in one worker; the memory of worker and server must not grow from the third on."""
    cluster.asked.unlink(missing_ok=True)
    held: list[tuple[float, float, float]] = []
    same = True
    for number in range(ROUNDS):
        config, out = _configured(ground, f"soak-{number}")
        run = cluster.submit(config)
        peak = 0.0
        while cluster.state(run)[0] not in FINAL:
            peak = max(peak, cluster.runs_mib())
            time.sleep(0.5)
        same = same and published(out) == ground.calm.fingerprint
        held.append((*cluster.memory_mib(), peak))
        shutil.rmtree(out.parent)
    worker, server, runs = (tuple(column) for column in zip(*held, strict=True))
    told = ", ".join(
        f"{name} {values[2]:.0f} to {values[-1]:.0f} MiB"
        for name, values in (("worker", worker), ("server", server), ("peak of a run", runs))
    )
    flat = all(values[-1] <= 1.05 * values[2] + 5 for values in (worker, runs))
    return [Outcome("soak", f"{ROUNDS} runs in one worker; memory from the third on", told, same and flat)]


def faked_clock(ground: Ground) -> list[Outcome]:
    """Run the line in a process whose whole clock, files among it, jumps a day back under libfaketime."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        return [Outcome("clock moved, libfaketime", "", "not tried: apt-get install libfaketime", False)]
    _, out = _configured(ground, "faked")
    jump = ground.folder / "jump"
    jump.write_text("+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(jump),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    told = json.dumps(settings(ground.inputs, out))
    command = [sys.executable, "-c", _LINE, told]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        while process.poll() is None and not (out / "work" / "features").is_dir():
            time.sleep(0.02)
        jumped = process.poll() is None
        jump.write_text("-1d")
    same = jumped and process.returncode == 0 and published(out) == ground.calm.fingerprint
    return [Outcome("clock moved, libfaketime", "-1 day, in the middle", "went on" if same else "failed", same)]


_LINE = """
import json, sys
from benchmarks._without_prefect import line, without_prefect
from flows.config import RunConfig
with without_prefect():
    line(RunConfig.model_validate(json.loads(sys.argv[1])))
"""
