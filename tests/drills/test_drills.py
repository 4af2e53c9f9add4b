"""Disturbed in every way that can be had in seconds, a run ends with the release of an undisturbed one.

The drills are those of `benchmarks.drills`, at fewer places; that script also kills real servers and workers, and takes
services away for 30 s. See docs/drills.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks._drill_steps import PARTS

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("killed", "two_at_once", "corrupt", "clock", "full")
AWAY = {"store_away": ("s3fs", "boto3", "moto.server"), "endpoint_away": ("openai",)}
pytestmark = pytest.mark.timeout(600)


def drilled(folder: Path, *names: str) -> dict[str, list[dict[str, Any]]]:
    """Run drills in a process that forks; return their outcomes by drill."""
    command = [sys.executable, "-m", "benchmarks._drills", str(folder), "quick", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    found = defaultdict(list)
    for outcome in json.loads(done.stdout):
        found[outcome["drill"]].append(outcome)
    return found


def _served(drill: str) -> bool:
    return all(find_spec(name.partition(".")[0]) for name in AWAY[drill])


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return drilled(tmp_path_factory.mktemp("drills"), *QUICK, *(name for name in AWAY if _served(name)))


def test_killed_in_the_middle_of_every_part_of_the_line(outcomes: dict[str, list[dict[str, Any]]]) -> None:
    kills = outcomes["kill -9"]
    assert [kill["disturbed"].partition(",")[0] for kill in kills] == list(PARTS)
    assert [
        kill for kill in kills if not kill["same"] or kill["then"] != "killed; after the last kill the run went on"
    ] == []


def test_two_runs_of_one_configuration_at_once_both_go_on(outcomes: dict[str, list[dict[str, Any]]]) -> None:
    (outcome,) = outcomes["two runs at once"]
    assert outcome["then"] == "went on / went on"
    assert outcome["same"]


def test_one_corrupt_slide_stops_no_other_and_is_tiled_once_it_is_mended(
    outcomes: dict[str, list[dict[str, Any]]],
) -> None:
    (outcome,) = outcomes["one slide corrupt"]
    assert outcome["then"].startswith("went on; more rejected: {'region_unreadable': ")
    assert outcome["then"].endswith("mended, 1 slide tiled again, the run went on")
    assert outcome["same"]


def test_a_clock_that_is_set_back_changes_nothing(outcomes: dict[str, list[dict[str, Any]]]) -> None:
    (outcome,) = outcomes["clock moved"]
    assert outcome["then"] == "went on"
    assert outcome["same"]


@pytest.mark.parametrize(("drill", "told"), [("store_away", "store unreachable"), ("endpoint_away", "endpoint down")])
def test_a_service_that_is_away_for_two_seconds_is_waited_for(
    drill: str, told: str, outcomes: dict[str, list[dict[str, Any]]]
) -> None:
    if not _served(drill):
        pytest.skip("the client or the stand-in of this service is not installed")
    (outcome,) = outcomes[told]
    assert outcome["disturbed"].startswith("for 2 s at connection ")
    assert outcome["then"] == "went on"
    assert outcome["same"]


def test_a_full_disk_is_a_clear_failure_and_the_rerun_goes_on(outcomes: dict[str, list[dict[str, Any]]]) -> None:
    (outcome,) = outcomes["disk full"]
    if outcome["then"].startswith("not permitted"):
        pytest.skip("this machine lets nobody mount a file system of their own")
    assert "No space left on device" in outcome["then"]
    assert outcome["then"].endswith("; the rerun went on")
    assert outcome["same"]
