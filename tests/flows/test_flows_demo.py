"""The demo as a user runs it, once, and what must be true of what it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.records.generation import DIMENSIONS, OPERATOR_ROLES
from tests.documents import carry_out

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def demo(out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", "demo", "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=800)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo-out"
    done = demo(folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a pipe gets no progress bars and no log"
    for named in ("report.html", "evaluation.json", "store/slidesmith-demo/1.0.0"):
        assert named in done.stdout
    return folder


def query(out: Path, table: str, sql: str) -> list[Any]:
    files = out / "store" / "slidesmith-demo" / "1.0.0" / "data" / table / "*.parquet"
    with duckdb.connect() as connection:
        rows: list[Any] = connection.execute(sql.format(f"read_parquet('{files}')")).fetchall()
    return rows


def test_the_release_holds_questions_enough_in_every_dimension(out: Path) -> None:
    counts = dict(query(out, "questions", "select dimension, count(*) from {} group by 1"))
    assert set(counts) == set(DIMENSIONS)
    assert sum(counts.values()) >= 4000
    assert min(counts.values()) >= 300


def test_the_release_holds_every_operator_in_every_role(out: Path) -> None:
    found = set(query(out, "perturbations", "select distinct operator, role from {}"))
    assert found == {(operator, role) for operator, roles in OPERATOR_ROLES.items() for role in roles}


def test_every_option_of_a_set_is_the_key_equally_often_in_every_split(out: Path) -> None:
    uneven = query(
        out,
        "questions",
        """select option_set_id, split, min(n), max(n), count(*) from (
             select option_set_id, split, options[answer_index + 1] as key, count(*) as n
             from {} where option_set_id is not null group by all)
           group by all having min(n) != max(n) or count(*) != 4""",
    )
    assert uneven == []


@pytest.mark.parametrize(
    "page", ["tutorials/data_engineer", "tutorials/annotator", "tutorials/trainer", "concepts/release"]
)
def test_a_page_of_the_documents_gets_from_the_demo_what_it_says(
    page: str, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = shutil.ignore_patterns("work", "desk.*", "input")  # a link to a slide would change what is remembered of it
    shutil.copytree(out, tmp_path / "demo-out", copy_function=os.link, ignore=left)
    (tmp_path / "demo-out" / "input").symlink_to(out / "input", target_is_directory=True)
    for file in (out / "review").glob("desk.*"):
        shutil.copy2(file, tmp_path / "demo-out" / "review")
    ids = {"mcq": ("questions", "question_id"), "reason": ("reasoning", "sample_id")}
    items = {
        prefix: query(out, table, f"select min({column}) from {{}}")[0][0] for prefix, (table, column) in ids.items()
    }
    monkeypatch.chdir(tmp_path)
    carry_out(ROOT / "docs" / f"{page}.md", tmp_path, items)


def test_no_patient_stands_in_two_splits(out: Path) -> None:
    assert query(out, "fields", "select patient_id from {} group by 1 having count(distinct split) > 1") == []


def test_every_rejection_stands_in_the_split_of_a_patient(out: Path) -> None:
    assert query(out, "rejections", "select item_id, detail from {} where split is null") == []
    assert query(out, "verdicts", "select question_id from {} where split is null") == []


def test_the_model_beats_its_blind_controls_which_stand_at_chance(out: Path) -> None:
    scores = json.loads((out / "evaluation.json").read_text())
    # Two test patients are too few for an interval by patient; the evaluation then compares pairs by field.
    assert scores["beats_blind"]["multiple_choice"]["beats"]
    assert scores["beats_blind"]["pairwise"]["beats"]
    low, high = scores["blind"]["multiple_choice"]["interval"]
    assert low <= 0.25 <= high
    assert scores["pairwise"]["accuracy"] > scores["blind"]["pairwise"]["accuracy"]


def test_nothing_left_behind_names_a_folder_of_this_machine(out: Path) -> None:
    needle = str(out.parent).encode()
    files = [out / "report.html", out / "evaluation.json", out / "run.json"]
    files += [path for path in (out / "store").rglob("*") if path.is_file()]
    assert [path.name for path in files if needle in path.read_bytes()] == []


def test_counts_in_equal_counts_out_plus_rejections_at_every_stage(out: Path) -> None:
    stages = json.loads((out / "run.json").read_text())["stages"]
    assert {"slides", "tiling", "features", "texts", "questions", "screening", "reviewed"} <= set(stages)
    for stage, row in stages.items():
        assert row["in"] == row["out"] + sum(row["rejected"].values()), stage


def test_a_rerun_with_nothing_changed_does_nothing(out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    done = demo(out)
    assert done.returncode == 0, done.stderr
    assert "nothing has changed" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


def test_the_report_shows_every_slide_and_loads_nothing(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert page.count("quality overlay of") == 24
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "url(http" not in page
