"""Failure drills in the middle of a training: of the demo, for a model of less does not beat its blind control."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks._drill_line import Outcome
from benchmarks._drill_server import ROOT, Cluster, wait_until
from benchmarks._drills import Ground
from benchmarks._drills_served import SERVER_AWAY_S, worded
from schemas.ids import file_sha256


def demo_config(folder: Path, out: Path) -> Path:
    """Write the demo's configuration for an empty folder, its slides beside it; return the file."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "demo" / "config.yaml").read_text())
    place = {"slides": folder / "input" / "slides", "manifest": folder / "input" / "manifest.csv", "out": out}
    file = out.with_suffix(".yaml")
    file.write_text(json.dumps({**config, **{name: str(path) for name, path in place.items()}}), encoding="utf-8")
    return file


def made(out: Path) -> tuple[str, ...]:
    """Return the fingerprint of a demo's release and the digest of its model; nothing where the run has failed."""
    if not (out / "run.json").is_file():
        return ()
    models = sorted(file_sha256(path) for path in (out / "work" / "model").glob("*/model.pt"))
    return (json.loads((out / "run.json").read_text())["release"]["fingerprint"], *models)


def training_killed(ground: Ground, cluster: Cluster) -> Iterator[Outcome]:
    """Train in the demo, and again with the worker killed after the first checkpoint, and again with the server."""
    cluster.asked.unlink(missing_ok=True)
    out = ground.folder / "trained"
    config = demo_config(ground.folder / "drawn", out)
    cluster.ended(cluster.submit(config))
    calm = made(out)
    if len(calm) != 2:
        raise SystemExit("the undisturbed demo failed")
    for drill, disturb in (("kill -9 of the worker", _worker_away), ("kill -9 of the server", _server_away)):
        started = time.monotonic()
        run = _training(cluster, config, out)
        told, same = disturb(cluster, run, config), made(out) == calm
        yield Outcome(drill, "the demo's training, after a checkpoint", told, same, time.monotonic() - started)


def _training(cluster: Cluster, config: Path, out: Path) -> str:
    """Start a run whose model is not made yet; return its id once the first checkpoint is there."""
    for name in ("model", "training"):
        shutil.rmtree(out / "work" / name)
    (out / "run.json").unlink()
    run = cluster.submit(config)
    wait_until(lambda: any((out / "work" / "training").glob("*/checkpoint.pt")), 300)
    return run


def _worker_away(cluster: Cluster, run: str, config: Path) -> str:
    cluster.kill_worker()
    cluster.call_crashed(run)
    cluster.start_worker()
    return f"killed; the next run ends as {worded(*cluster.ended(cluster.submit(config)))}"


def _server_away(cluster: Cluster, run: str, config: Path) -> str:
    cluster.kill_server()
    time.sleep(SERVER_AWAY_S)
    cluster.start_server()
    return f"the run ends as {worded(*cluster.ended(run))}"
