"""The deployments of prefect.yaml, run by a real worker of a real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
import yaml

from demo.make import make_demo

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    settings = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "SLIDESMITH_HOME": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
        try:
            wait_for(settings["PREFECT_API_URL"])
            prefect(settings, "work-pool", "create", "cpu", "--type", "process")
            prefect(settings, "deploy", "--all", "--no-prompt")
            worker = subprocess.Popen(
                [*PREFECT, "worker", "start", "--pool", "cpu"], env=settings, cwd=ROOT, stdout=log, stderr=log
            )
            try:
                yield settings
            finally:
                worker.terminate()
                worker.wait(timeout=60)
        finally:
            server.terminate()
            server.wait(timeout=60)


def wait_for(api: str) -> None:
    limit = time.monotonic() + 180
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=5):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.5)
    pytest.fail("the server did not start")


def prefect(settings: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*PREFECT, *arguments], env=settings, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_deployment_is_registered(environment: dict[str, str]) -> None:
    listed = prefect(environment, "deployment", "ls")
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        assert deployment["name"] in listed


def test_a_worker_runs_the_curate_deployment(environment: dict[str, str], tmp_path: Path) -> None:
    make_demo(tmp_path, slides=6, patients=3, seed=3)
    config = tmp_path / "run.yaml"
    settings = {
        "slides": "slides",
        "manifest": "manifest.csv",
        "out": "out",
        "tiling": {"centres": {"kind": "sampled", "max_fields_per_slide": 16}},
        "release": {"dataset": "worked"},
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    prefect(environment, "deployment", "run", "curate/demo", "--param", f"config={config}", "--watch")
    outcome = json.loads((tmp_path / "out" / "run.json").read_text())
    assert outcome["release"]["rows"]["slides"] == 6
    assert (tmp_path / "out" / "store" / "worked" / "1.0.0" / "manifest.json").is_file()
