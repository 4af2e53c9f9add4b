"""A version is there whole or not at all: also where publishers are killed, and where eight publish at once."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from tasks.releases.candidate import Candidate

DRIVER = Path(__file__).with_name("release_driver.py")
ROOT = Path(__file__).resolve().parents[2]


def drive(task: str, candidate: Candidate, store: Path | str, option: str, tmp_path: Path) -> Any:
    file = tmp_path / "candidate.pickle"
    file.write_bytes(pickle.dumps(candidate))
    command = [sys.executable, "-W", "error", str(DRIVER), task, str(file), str(store), option]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_publisher_killed_at_any_step_leaves_the_store_valid_and_a_rerun_finishes(
    lean: Candidate, tmp_path: Path
) -> None:
    outcomes = drive("kill", lean, tmp_path / "store", "13", tmp_path)
    assert len(outcomes) >= 6
    assert [outcome["died"] for outcome in outcomes] == [True] * (len(outcomes) - 1) + [False]
    for outcome in outcomes:
        assert outcome["after"] in ([], [["1.0.0", []]]), outcome
        assert outcome["rerun"] == [["1.0.0", []]], outcome
    assert outcomes[0]["after"] == []


def test_of_eight_publishers_of_different_content_exactly_one_wins(lean: Candidate, tmp_path: Path) -> None:
    outcomes = drive("race", lean, tmp_path / "store", "different", tmp_path)
    assert sorted(result for _, result, _ in outcomes) == ["published"] + ["refused"] * 7
    assert {said for _, result, said in outcomes if result == "refused"} == {
        "sample 1.0.0 is there already, with other content"
    }


def test_publishers_of_the_same_content_all_get_the_one_release(lean: Candidate, tmp_path: Path) -> None:
    outcomes = drive("race", lean, tmp_path / "store", "same", tmp_path)
    assert {result for _, result, _ in outcomes} == {"published"}
    assert len({fingerprint for _, _, fingerprint in outcomes}) == 1
    assert sorted(path.name for path in (tmp_path / "store" / "sample").iterdir()) == ["1.0.0", "tags"]
