"""`make server`: a Prefect server and a worker on this machine, with everything of `prefect.yaml` registered."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.error import URLError

from flows.interruption import watch_for_interruption
from schemas.errors import SlidesmithError, StageFailedError
from tasks.settings import ROOT

_PORT = 4200
_START_S = 180.0
WORKER = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,kg,tasks,training",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # without it a run whose process has died is never called crashed
}
SERVER = {
    # Slots that a killed server had lent out are known to the next one.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
SETTINGS = {**SERVER, **WORKER}
"""What a server and its workers are told by their environment; compose.yaml and docs/operating.md say the same."""


def _claim(port: int) -> None:
    """Make sure that what will answer there is the server of this checkout, not one that is there already."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise StageFailedError(
            f"port {port} cannot be used: {os.strerror(error.errno or 0).lower()}",
            remedy="end what listens there; with a Prefect server that is to stay, set PREFECT_API_URL and run"
            " `slidesmith deploy`",
        ) from None


def _wait_until_healthy(api: str, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + _START_S
    while time.monotonic() < limit:
        if server.poll() is not None:
            raise StageFailedError("the Prefect server ended at once", remedy="see its output above")
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=5):  # noqa: S310  loopback
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise StageFailedError(f"the Prefect server did not answer within {_START_S:.0f} s", remedy="see its output above")


def main() -> None:
    """Start the server, register everything, and work until interrupted; failures are one line on standard error."""
    try:
        _serve()
    except SlidesmithError as error:
        sys.exit(f"slidesmith: {error}")
    except KeyboardInterrupt:
        pass


def _serve() -> None:
    _claim(_PORT)
    watch_for_interruption()  # a plain `kill` too ends server and worker; and where Ctrl-C is ignored, as under nohup
    api = f"http://127.0.0.1:{_PORT}/api"
    environment = {**SETTINGS, **os.environ, "PREFECT_API_URL": api, "SLIDESMITH_HOME": str(ROOT)}
    prefect = [sys.executable, "-m", "prefect"]
    server = subprocess.Popen(  # noqa: S603  our own arguments
        [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(_PORT)], env=environment
    )
    try:
        _wait_until_healthy(api, server)
        for work, step in (
            ("registering", [sys.executable, "-m", "flows.cli", "deploy"]),
            ("the worker", [*prefect, "worker", "start", "--pool", "cpu"]),
        ):
            ended = subprocess.run(step, env=environment, cwd=ROOT, check=False)  # noqa: S603  our own arguments
            if ended.returncode:
                raise StageFailedError(f"{work} ended with code {ended.returncode}", remedy="see its output above")
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()


if __name__ == "__main__":
    main()
