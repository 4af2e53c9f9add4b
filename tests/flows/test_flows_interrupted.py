"""Killed at any stage and run again, a run ends with the release of an undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def configured(inputs: Path, folder: Path) -> Path:
    folder.mkdir()
    settings = {
        "slides": str(inputs / "slides"),
        "manifest": str(inputs / "manifest.csv"),
        "out": str(folder / "out"),
        "tiling": {"centres": {"kind": "sampled", "max_fields_per_slide": 16}},
        "release": {"dataset": "drill"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "run.yaml"


def started(config: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a run in a process group of its own; without an environment it starts its own Prefect server."""
    command = [sys.executable, "-m", "flows.cli", "run", "--config", str(config)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        env=environment,
    )


def finished(config: Path, environment: dict[str, str]) -> dict[str, object]:
    process = started(config, environment)
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    outcome: dict[str, object] = json.loads((config.parent / "out" / "run.json").read_text())
    return outcome


@pytest.fixture(scope="module")
def calm(inputs: Path, served: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a run that nobody disturbed."""
    config = configured(inputs, tmp_path_factory.mktemp("calm") / "run")
    finished(config, served)
    return config


@pytest.fixture(scope="module")
def undisturbed(calm: Path) -> dict[str, object]:
    outcome: dict[str, object] = json.loads((calm.parent / "out" / "run.json").read_text())
    return outcome


@pytest.mark.parametrize("stage", ["tiling", "screening"])
def test_killed_in_a_stage_and_run_again(
    stage: str, inputs: Path, served: dict[str, str], tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    config = configured(inputs, tmp_path / "run")
    process = started(config, served)
    limit = time.monotonic() + 300
    while not (config.parent / "out" / "work" / stage).is_dir():
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (config.parent / "out" / "run.json").exists()
    assert finished(config, served) == undisturbed


def test_told_to_end_it_says_how_to_go_on_and_leaves_no_server_behind(inputs: Path, tmp_path: Path) -> None:
    config = configured(inputs, tmp_path / "run")
    process = started(config)
    limit = time.monotonic() + 300
    while not (config.parent / "out" / "work" / "tiling").is_dir():
        assert time.monotonic() < limit
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    commands = [member.cmdline() for member in family]
    os.kill(process.pid, signal.SIGTERM)  # Ctrl-C takes the same way; tests/flows/test_flows_interruption.py
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "run the same command again to continue" in errors
    assert "Traceback" not in errors
    assert any("prefect.server" in " ".join(command) for command in commands)
    assert not psutil.wait_procs(family, timeout=60)[1]


def test_a_changed_threshold_does_again_only_what_depends_on_it(
    calm: Path, served: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(calm.parent, tmp_path / "run")
    config = tmp_path / "run" / calm.name
    settings = yaml.safe_load(config.read_text())
    settings["out"] = str(config.parent / "out")
    settings["screening"] = {"alpha": 0.04}
    settings["release"]["version"] = "1.0.1"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    work = config.parent / "out" / "work"
    before = {path.parent for path in work.glob("*/*/shard.json")}
    finished(config, served)
    made = sorted({path.parent for path in work.glob("*/*/shard.json")} - before)
    assert [folder.parent.name for folder in made] == ["queue", "reviewed", "screening"]
