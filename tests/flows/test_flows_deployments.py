"""The deployments of prefect.yaml, run by a real worker of a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment(served: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The deployments of prefect.yaml, and a worker for them."""
    prefect(served, "work-pool", "create", "cpu", "--type", "process")
    prefect(served, "deploy", "--all", "--no-prompt")
    with (tmp_path_factory.mktemp("worker") / "worker.log").open("wb") as log:
        command = [*PREFECT, "worker", "start", "--pool", "cpu"]
        worker = subprocess.Popen(command, env=served, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield served
        finally:
            worker.terminate()
            worker.wait(timeout=60)


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


def test_a_worker_runs_the_curate_deployment(environment: dict[str, str], inputs: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    settings = {
        "slides": str(inputs / "slides"),
        "manifest": str(inputs / "manifest.csv"),
        "out": "out",
        "tiling": {"centres": {"kind": "sampled", "max_fields_per_slide": 16}},
        "release": {"dataset": "worked"},
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    prefect(environment, "deployment", "run", "curate/demo", "--param", f"config={config}", "--watch")
    outcome = json.loads((tmp_path / "out" / "run.json").read_text())
    assert outcome["release"]["rows"]["slides"] == 6
    assert (tmp_path / "out" / "store" / "worked" / "1.0.0" / "manifest.json").is_file()
