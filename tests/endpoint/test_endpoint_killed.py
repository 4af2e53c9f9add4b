"""A run that is killed among its calls asks again for nothing that was answered."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from demo.scripted_endpoint import ScriptedEndpoint, echo
from tasks.endpoint.answers import Answer
from tasks.endpoint.client import Endpoint
from tasks.endpoint.ledger import read_ledger
from tasks.endpoint.requests import Message, Request

Connect = Callable[..., Endpoint]

_KILLED = """
import sys
from pathlib import Path
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.requests import Message, Request
config = EndpointConfig(base_url=sys.argv[1], model="scripted", concurrency=4)
asked = [Request(f"item {n}", "generation", (Message("user", f"text {n}"),)) for n in range(90)]
Endpoint(config, Path(sys.argv[2])).ask(asked)
"""


def test_a_killed_run_continues_with_exactly_the_missing_calls(connect: Connect, tmp_path: Path) -> None:
    folder = tmp_path / "endpoint"
    with ScriptedEndpoint(echo, latency_s=0.005) as server:
        arguments = [sys.executable, "-c", _KILLED, server.url, str(folder)]
        running = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
        while len(server.calls) < 40:
            assert running.poll() is None
            time.sleep(0.005)
        running.kill()
        running.wait()
        time.sleep(0.1)  # what was under way arrives
        stored = len(list(folder.glob("cache/*/*.json")))
        before = len(server.calls)
        client = connect(server)
        answers = client.ask([Request(f"item {n}", "generation", (Message("user", f"text {n}"),)) for n in range(90)])
    assert 30 < stored < 90
    assert len(server.calls) - before == 90 - stored
    assert [answer.text for answer in answers if isinstance(answer, Answer)] == [f"text {n}" for n in range(90)]
    rows = Counter(row.status for row in read_ledger(folder / "ledger.jsonl"))
    assert rows["open"] <= 4
    assert 90 <= sum(rows.values()) <= 94
    assert sum(rows.values()) == client.spent().calls
