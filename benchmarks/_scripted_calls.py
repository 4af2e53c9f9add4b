"""1,000 calls to a scripted server that throttles, fails and talks nonsense, with a kill in the middle and a budget."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._claims import Claim, claim
from demo.scripted_endpoint import Fault, ScriptedEndpoint, echo
from tasks.endpoint.answers import Answer, Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.requests import Message, Request

CONCURRENCY = 8
_FAULTS: tuple[tuple[Fault, int], ...] = (("throttle", 5), ("fail", 2), ("garbage", 1))  # of a hundred first calls


def requests(count: int) -> list[Request]:
    """Return different requests."""
    return [Request(f"item {n}", "generation", (Message("user", f"text {n}"),), max_tokens=32) for n in range(count)]


def settings(url: str, **more: Any) -> EndpointConfig:
    """Return how the server is reached."""
    known = {"base_url": url, "model": "scripted", "concurrency": CONCURRENCY, "backoff_s": 0.01, **more}
    return EndpointConfig.model_validate(known)


class Script:
    """Lets the same share of first calls go wrong in every hundred."""

    def __init__(self) -> None:
        self._first = 0

    def __call__(self, _digest: str, before: int) -> Fault | None:
        """Return what goes wrong with a call, None for a second one."""
        if before:
            return None
        place, self._first = self._first * 37 % 100, self._first + 1
        for fault, share in _FAULTS:
            if place < share:
                return fault
            place -= share
        return None


def scripted_claims(count: int) -> Iterator[Claim]:
    """Yield what is measured on `count` calls."""
    with tempfile.TemporaryDirectory() as folder, ScriptedEndpoint(echo, Script(), latency_s=0.002) as server:
        _killed_after(server, Path(folder), count)
        stored = len(list(Path(folder).glob("cache/*/*.json")))
        before, known = len(server.calls), sum(call.fault is None for call in server.calls)
        started = time.process_time()
        outcomes = Endpoint(settings(server.url), Path(folder)).ask(requests(count))
        cpu = time.process_time() - started
        lost = sum(not isinstance(outcome, Answer) for outcome in outcomes)
        faults = [call.fault for call in server.calls if call.fault]
        later = [call for call in server.calls[before:] if call.fault is None]
    shares = ", ".join(f"{faults.count(fault)} {fault}" for fault, _ in _FAULTS)
    yield claim(f"{count:,} requests, killed at {stored}, rerun: without an answer", lost, "requests", "0", lost == 0)
    again = len(later) - (count - stored)
    yield claim(f"answered calls of the rerun beyond what was missing ({shares})", again, "calls", "0", again == 0)
    twice = known + len(later) - count
    yield claim("calls under way at the kill, made again", twice, "calls", f"<= {CONCURRENCY}", twice <= CONCURRENCY)
    extra = len(server.calls) - count - len(faults) - twice
    yield claim("calls beyond requests, faults and those under way", extra, "calls", "0", extra == 0)
    share = cpu / (count - stored) * 1000
    yield claim("CPU time of a call, client and server in one process", share, "ms", "-", True)
    yield from _budget_claims(count)


def _budget_claims(count: int) -> Iterator[Claim]:
    bound = count * 6 // 10
    with tempfile.TemporaryDirectory() as folder, ScriptedEndpoint(echo, Script()) as server:
        outcomes = Endpoint(settings(server.url, budget={"calls": bound}), Path(folder)).ask(requests(count))
        made = len(server.calls)
        left = sum(isinstance(outcome, Failure) and outcome.reason == "over_budget" for outcome in outcomes)
        answered = sum(isinstance(outcome, Answer) for outcome in outcomes)
    yield claim(f"calls under a budget of {bound}", made, "calls", f"<= {bound}", made <= bound)
    accounted = answered + left
    yield claim("answered or rejected as over budget", accounted, "requests", f"{count}", accounted == count)


def _killed_after(server: ScriptedEndpoint, folder: Path, count: int) -> None:
    """Ask everything in another process and kill it in the middle."""
    command = [sys.executable, "-m", "benchmarks._scripted_calls", server.url, str(folder), str(count)]
    running = subprocess.Popen(command, cwd=Path(__file__).resolve().parent.parent)
    while len(server.calls) < count // 2:
        if running.poll() is not None:
            raise RuntimeError("the process to be killed ended by itself")
        time.sleep(0.005)
    running.kill()
    running.wait()
    time.sleep(0.2)  # what was under way arrives


if __name__ == "__main__":
    Endpoint(settings(sys.argv[1]), Path(sys.argv[2])).ask(requests(int(sys.argv[3])))
