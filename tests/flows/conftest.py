from __future__ import annotations

import fcntl
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

from demo.make import make_demo

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect"]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo: six slides of three patients with reports and manifest, drawn once for all processes."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with (shared / "inputs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_demo(shared / "inputs", slides=6, patients=3, seed=3)
    return shared / "inputs"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a process that talks to a real Prefect server, which lives as long as the session."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "SLIDESMITH_HOME": str(ROOT),
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",  # a minute, where no test waits for it
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(environment["PREFECT_API_URL"])
            yield environment
        finally:
            server.terminate()
            server.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(api: str) -> None:
    limit = time.monotonic() + 180
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=5):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.5)
    pytest.fail("the server did not start")
