"""The services of the curation: a model's endpoint on loopback, and `make server` with a schedule that is due soon."""

from __future__ import annotations

import datetime
import json
import math
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from benchmarks.at_size.steps import ROOT
from demo.scripted_endpoint import Body, Said, last_words
from demo.scripted_writer import write
from tasks.screening.rewriting import Reworded

API = "http://127.0.0.1:4200/api"
CONFIG = ROOT / "curation.yaml"
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_OPTION = re.compile(r"^([A-Z])\. (.*)$", re.MULTILINE)
_WORD = re.compile(r"[a-z]+")
_LINE = re.compile(r"^(Question|Option \d+): (.*)$", re.MULTILINE)


def model(body: Body) -> Said:
    """Write what a generator is asked for; read questions by the words that an option shares with the others."""
    if "response_format" in body:
        form = body["response_format"]["json_schema"]["name"]
        return _rewritten(last_words(body)) if form == Reworded.__name__ else write(body)
    options = dict(_OPTION.findall(last_words(body)))
    words = {letter: set(_WORD.findall(text.lower())) for letter, text in options.items()}
    shared = {
        letter: sum(len(own & other) for name, other in words.items() if name != letter) / (1 + len(own))
        for letter, own in words.items()
    }
    total = math.log(sum(math.exp(score) for score in shared.values())) if shared else 0.0
    best = max(shared, key=lambda letter: (shared[letter], letter)) if shared else "A"
    return Said(best, {letter: score - total for letter, score in shared.items()})


def _rewritten(prompt: str) -> Said:
    """Say all options in one other way, as the writer of screening is asked to."""
    asked = dict(_LINE.findall(prompt))
    options = [text for name, text in asked.items() if name.startswith("Option ")]
    question = f"Put differently: {asked['Question'][:1].lower()}{asked['Question'][1:]}"
    return Said(json.dumps({"question": question, "options": [f"what there is: {text}" for text in options]}))


@contextmanager
def prefect(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run what `make server` runs; yield its process."""
    if CONFIG.exists():
        raise SystemExit(f"{CONFIG.name} is there already; move it away first: the nightly deployment reads it")
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.server"], cwd=ROOT, env=dict(environment), stdout=log, stderr=log
        )
    try:
        _wait(_registered, 300, process)
        yield process.pid
    finally:
        CONFIG.unlink(missing_ok=True)
        process.terminate()
        process.wait(120)


def schedule(environment: Mapping[str, str]) -> str:
    """Have the nightly deployment start at the next whole minute but one; return the command."""
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=2)
    cron = f"{due.minute} {due.hour} * * *"
    arguments = ["deployment", "schedule", "create", "curate/nightly", "--cron", cron, "--timezone", "UTC"]
    command = [sys.executable, "-m", "prefect", *arguments, "--replace", "-y"]
    subprocess.run(command, env={**environment, "PREFECT_API_URL": API}, check=True, stdout=subprocess.DEVNULL)
    return f'prefect deployment schedule create curate/nightly --cron "{cron}" --timezone UTC --replace -y'


def await_scheduled(started_after: str, within_s: float = 7200) -> dict[str, Any]:
    """Wait for the run that the schedule started after a moment (ISO 8601) to end; return it.

    Raises:
        SystemExit: it did not start in ten minutes, did not end in time, or did not complete.
    """
    begun = time.monotonic()
    while time.monotonic() < begun + within_s:
        runs = [run for run in _runs() if run["start_time"] and run["start_time"] > started_after]
        if not runs and time.monotonic() > begun + 600:
            raise SystemExit("the schedule started no run within ten minutes")
        if runs and runs[0]["state_type"] in FINAL:
            if runs[0]["state_type"] != "COMPLETED":
                raise SystemExit(f"the nightly run ended {runs[0]['state_type']}: {runs[0]['state']['message']}")
            return runs[0]
        time.sleep(2)
    raise SystemExit(f"the nightly run did not end within {within_s:.0f} s")


def _runs() -> list[dict[str, Any]]:
    asked = {"deployments": {"name": {"any_": ["nightly"]}}, "sort": "START_TIME_DESC", "limit": 5}
    found: list[dict[str, Any]] = ask("/flow_runs/filter", asked)
    return found


def ask(path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask Prefect's server."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{API}{path}", data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310  loopback
        return json.loads(reply.read())


def _registered() -> bool:
    try:
        workers = ask("/work_pools/cpu/workers/filter", {})
    except (URLError, OSError):
        return False
    return any(worker["status"] == "ONLINE" for worker in workers)


def _wait(holds: Any, within_s: float, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + within_s
    while not holds():
        if process.poll() is not None or time.monotonic() > limit:
            raise SystemExit("`make server` did not come up; see server.log")
        time.sleep(0.5)
