from __future__ import annotations

import socket
import subprocess

import pytest

from flows import server


def test_a_port_that_is_taken_is_told_in_one_line_and_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*command: object, **_: object) -> None:
        pytest.fail(f"{command} was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        monkeypatch.setattr(server, "_PORT", port)
        with pytest.raises(SystemExit) as stopped:
            server.main()
    told = str(stopped.value.code)
    assert told.startswith(f"slidesmith: port {port} cannot be used: address already in use; ")
    assert "\n" not in told
