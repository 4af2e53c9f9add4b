from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def said(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the first of two processes over gloo says."""
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    out = tmp_path_factory.mktemp("ranks")
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("rank_driver.py")), str(miniature), str(out)]
    processes = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **group, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    ended = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended[0][1] + ended[1][1]
    report: dict[str, Any] = json.loads(ended[0][0])
    return report


def test_two_processes_have_the_gradient_of_one_over_the_whole_batch(said: dict[str, Any]) -> None:
    assert said["gradients"] == pytest.approx(said["alone"], rel=1e-4, abs=1e-6)
    assert max(map(abs, said["alone"])) > 0.01


def test_two_processes_stopped_and_resumed_train_the_same_bits(said: dict[str, Any]) -> None:
    assert said["steps"] == [1, 1, 4]
    assert said["digests"][0] == said["digests"][1]
    assert said["images"] == 4 * 2 * 8 * 3
