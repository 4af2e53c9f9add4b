"""Disturbed in every way that can be had in seconds, a run ends with the release of an undisturbed one.

The drills are those of `benchmarks.drills`, at fewer places; that script also kills real servers and workers, and takes
services away for 30 s. See docs/drills.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks._drill_steps import PARTS

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("killed", "two_at_once", "corrupt", "clock")
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


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return drilled(tmp_path_factory.mktemp("drills"), *QUICK, "full")


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


def test_a_full_disk_is_a_clear_failure_and_the_rerun_goes_on(outcomes: dict[str, list[dict[str, Any]]]) -> None:
    (outcome,) = outcomes["disk full"]
    if outcome["then"].startswith("not permitted"):
        pytest.skip("this machine lets nobody mount a file system of their own")
    assert "No space left on device" in outcome["then"]
    assert outcome["then"].endswith("; the rerun went on")
    assert outcome["same"]
