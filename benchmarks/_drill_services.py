"""Services on loopback that a drill takes away for a while: a bucket, a model's endpoint."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "lab-bucket"
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class Outage:
    """A relay to a port that refuses connections for a while from the n-th on, and cuts those that there are.

    Args:
        target: port of the service.
        after: connection at which it goes away.
        for_s: how long.
    """

    def __init__(self, target: int, after: int, for_s: float) -> None:
        self._target, self._left, self._for_s = target, after, for_s
        self._open: list[socket.socket] = []
        self.was_away = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            caller, _ = self._listener.accept()
            self._left -= 1
            if self._left == 0:
                caller.close()
                self._go_away()
                continue
            service = socket.create_connection(("127.0.0.1", self._target))
            self._open += [caller, service]
            for source, sink in ((caller, service), (service, caller)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def _go_away(self) -> None:
        self.was_away = True
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        time.sleep(self._for_s)
        self._listener = socket.create_server(("127.0.0.1", self.port))


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Service:
    """A service of this file in a process of its own: no fork of the caller holds its ports open."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "benchmarks._drill_services", name]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        self.port = int(self._told())

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    def outage(self, after: int, for_s: float) -> int:
        """Return the port of a relay to the service that goes away for so long at the n-th connection."""
        return int(self._told(f"{after} {for_s}\n"))

    def was_away(self) -> bool:
        """Return whether the last relay has gone away."""
        return self._told("?\n") == "True"

    def _told(self, asked: str = "") -> str:
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise RuntimeError("the service has no pipes")
        into.write(asked)
        into.flush()
        return out.readline().strip()


def _serve_bucket() -> int:
    from importlib import import_module

    import boto3
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = import_module("moto.server")
    server = make_server("127.0.0.1", 0, moto.DomainDispatcherApplication(moto.create_backend_app))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    os.environ.update(ACCESS)
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
    return int(server.server_port)


def _serve_endpoint() -> int:
    from demo.scripted_endpoint import ScriptedEndpoint
    from demo.scripted_writer import write

    server = ScriptedEndpoint(write)
    server.__enter__()
    return int(server.url.rpartition(":")[2].partition("/")[0])


def main() -> None:
    """Serve, and make relays as they are asked for, until the caller lets go."""
    port = {"bucket": _serve_bucket, "endpoint": _serve_endpoint}[sys.argv[1]]()
    print(port, flush=True)
    relay: Outage | None = None
    for line in sys.stdin:
        if line == "?\n":
            print(relay is not None and relay.was_away, flush=True)
            continue
        after, for_s = line.split()
        relay = Outage(port, int(after), float(for_s))
        print(relay.port, flush=True)


if __name__ == "__main__":
    main()
