"""A real Prefect server and worker on loopback, with the deployments of `prefect.yaml`, to be killed by drills."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from uuid import uuid4

import psutil

from flows.server import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
PREFECT = [sys.executable, "-m", "prefect"]
DEPLOYMENT = "curate/demo"
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class Cluster:
    """A server and a worker; a run is stopped where the file `asked` says.

    Args:
        folder: for the server's database and the logs.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.asked = folder / "asked.json"
        self.stopped: list[int] = []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.api = f"http://127.0.0.1:{self._port}/api"
        self.environment = {
            **os.environ,
            **SETTINGS,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "SLIDESMITH_HOME": str(ROOT),
            "SLIDESMITH_DRILL": str(self.asked),
            "PYTHONPATH": f"{ROOT / 'benchmarks' / '_pause'}:{ROOT}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        try:
            self.start_server()
            command = [sys.executable, "-m", "flows.cli", "deploy"]
            subprocess.run(command, env=self.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            self.start_worker()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.kill_worker()
        finally:
            self.kill_server()
            for pid in filter(alive, self.stopped):  # runs that outlived their worker
                kill_family(pid)

    def start_server(self) -> None:
        """Start the server, on the database that is there, and wait until it answers."""
        self._server = self._start("server", "server", "start", "--host", "127.0.0.1", "--port", str(self._port))
        wait_until(self._healthy, 300)

    def start_worker(self) -> None:
        """Start a worker."""
        self._worker = self._start("worker", "worker", "start", "--pool", "cpu")

    def kill_server(self) -> None:
        """Kill the server as `kill -9` does."""
        server, self._server = self._server, None
        if server is not None:
            kill_family(server.pid)
            server.wait()

    def kill_worker(self, alone: bool = False) -> None:
        """Kill the worker with the runs that it has started, as a machine that goes away; or the worker alone."""
        worker, self._worker = self._worker, None
        if worker is not None:
            if alone:
                worker.kill()
            else:
                kill_family(worker.pid)
            worker.wait()

    def memory_mib(self) -> tuple[float, float]:
        """Return the memory of the worker, without its runs, and of the server."""
        server = psutil.Process(_pid(self._server))
        family = [server, *server.children(recursive=True)]
        held = sum(member.memory_full_info().uss for member in family)
        return psutil.Process(_pid(self._worker)).memory_full_info().uss / 2**20, held / 2**20

    def runs_mib(self) -> float:
        """Return the memory of the processes that the worker has started."""
        total = 0
        for child in psutil.Process(_pid(self._worker)).children(recursive=True):
            try:
                total += child.memory_full_info().uss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return total / 2**20

    def submit(self, config: Path) -> str:
        """Ask for a run of the deployment; return its id."""
        flow, name = DEPLOYMENT.split("/")
        deployment = self.call(f"/deployments/name/{flow}/{name}")
        state = {"type": "SCHEDULED"}
        body = {"parameters": {"config": str(config)}, "state": state, "idempotency_key": str(uuid4())}
        return str(self.call(f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def state(self, run: str) -> tuple[str, str]:
        """Return the type and the message of a run's state."""
        state = self.call(f"/flow_runs/{run}")["state"]
        return str(state["type"]), str(state["message"] or "")

    def ended(self, run: str, within_s: float = 600) -> tuple[str, str]:
        """Wait until a run has ended; return how."""
        wait_until(lambda: self.state(run)[0] in FINAL, within_s)
        return self.state(run)

    def call_crashed(self, run: str) -> None:
        """Say that a run is dead, as an operator does who does not wait for the automation."""
        self.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the server's API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, {"content-type": "application/json"})  # noqa: S310
        for _ in range(20):  # a database that is busy answers 503, or late
            try:
                with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310  loopback
                    return json.loads(reply.read())
            except HTTPError as error:
                if error.code != 503:
                    raise
            except TimeoutError:
                pass
            time.sleep(1)
        raise SystemExit("the server's database stays busy")

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.api}/health", timeout=5):  # noqa: S310  loopback
                return True
        except (URLError, OSError):
            return False

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen([*PREFECT, *command], env=self.environment, cwd=ROOT, stdout=log, stderr=log)


def _pid(process: subprocess.Popen[bytes] | None) -> int:
    if process is None:
        raise RuntimeError("it was not started")
    return process.pid


def kill_family(pid: int) -> None:
    """Kill a process and all that it has started."""
    with suppress(psutil.NoSuchProcess):
        for member in (*psutil.Process(pid).children(recursive=True), psutil.Process(pid)):
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)


def alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until(holds: Callable[[], bool], within_s: float) -> None:
    """Wait until something holds.

    Raises:
        SystemExit: it does not.
    """
    limit = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > limit:
            raise SystemExit(f"waited {within_s:g} s in vain")
        time.sleep(0.1)
