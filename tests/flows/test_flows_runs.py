"""Every curation leaves a record; `slidesmith runs` reads them, with SQL."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.cli import main
from flows.config import RunConfig
from flows.plan import make_plan
from flows.run_log import read_logs, read_runs, recorded
from schemas.errors import StageFailedError
from tasks.store import ShardWriter

ROOT = Path(__file__).resolve().parents[2]
HELD = """
import sys
import time
from pathlib import Path
from flows.config import RunConfig
from flows.run_log import recorded
given = Path(sys.argv[1])
with recorded(RunConfig(slides=given / "slides", manifest=given / "manifest.csv", out=sys.argv[2])):
    print("inside", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def config(inputs: Path, tmp_path: Path) -> RunConfig:
    return RunConfig(slides=inputs / "slides", manifest=inputs / "manifest.csv", out=tmp_path / "out")


def made(out: ShardWriter) -> None:
    out.count(items_in=5, items_out=5, rejections=[])


def asked(capsys: pytest.CaptureFixture[str], out: Path, sql: str) -> list[dict[str, object]]:
    main(["runs", "--out", str(out), "--json", "--sql", sql])
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)["rows"]
    return rows


def test_what_was_made_and_what_was_found_done(config: RunConfig, capsys: pytest.CaptureFixture[str]) -> None:
    plan = make_plan(config)
    for _ in range(2):
        with recorded(config):
            plan.store.ensure("tiling", plan.tiling[0], made)
    sql = "SELECT made, found, missing, items_in FROM stages WHERE stage = 'tiling' ORDER BY made"
    again, first = asked(capsys, config.out, sql)
    assert again == {"made": 0, "found": 1, "missing": 5, "items_in": 0}
    assert first == {"made": 1, "found": 0, "missing": 5, "items_in": 5}
    logged = asked(capsys, config.out, "SELECT message FROM logs WHERE logger = 'tasks.store'")
    assert [str(row["message"]).split(" in ")[0] for row in logged] == ["tiling: 5 in, 5 out"]
    main(["runs", "--out", str(config.out)])
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:3] == ["run", "status", "wall_s"]
    assert [line.split()[1] for line in table[1:]] == ["completed", "completed"]


def test_a_failed_run_says_why(config: RunConfig) -> None:
    with pytest.raises(StageFailedError), recorded(config):
        raise StageFailedError("3 of 6 slides cannot be used", remedy="mend them")
    (record,) = read_runs(config.out)
    assert record["status"] == "failed"
    assert "3 of 6 slides cannot be used" in record["problem"]
    (error,) = [line for line in read_logs(config.out) if line["level"] == "ERROR"]
    assert "3 of 6 slides cannot be used" in error["message"]
    assert error["run_id"] == record["run_id"]


def test_a_run_that_fills_the_disk_leaves_a_record_of_that(config: RunConfig) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        with recorded(config):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1200, before[1]))  # room for the short record, not for the whole
            (config.out / "tiles").write_bytes(bytes(2000))

    try:
        with pytest.raises(OSError, match="File too large"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (record,) = read_runs(config.out)
    assert (record["status"], record["problem"]) == ("failed", "OSError: File too large")
    assert "stages" not in record
    assert [path.suffix for path in sorted((config.out / "runs").iterdir())] == [".json", ".jsonl"]


def test_a_run_under_way_and_a_killed_one_are_told_apart(config: RunConfig, inputs: Path) -> None:
    command = [sys.executable, "-c", HELD, str(inputs), str(config.out)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"inside\n"
        assert [run["status"] for run in read_runs(config.out)] == ["running"]
        process.kill()
        process.wait()
        assert [run["status"] for run in read_runs(config.out)] == ["killed"]


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM read_text('/etc/passwd')", "", "-- nothing"])
def test_a_query_that_cannot_be_answered_is_one_line(
    sql: str, config: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(config):
        pass
    with pytest.raises(SystemExit) as stop:
        main(["runs", "--out", str(config.out), "--sql", sql])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("slidesmith: the query ")


def test_a_folder_without_runs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["runs", "--out", str(tmp_path / "nothing")])
    assert "no run has been recorded in nothing" in capsys.readouterr().err


def test_what_a_killed_run_left_half_made_is_swept_after_a_day(config: RunConfig) -> None:
    stage = make_plan(config).store.root / "tiling"
    for name, age_s in (("old", 100_000), ("fresh", 60)):
        (stage / f".{name}").mkdir(parents=True)
        (stage / f".{name}" / "tiles.parquet").write_bytes(b"half")
        then = time.time() - age_s
        os.utime(stage / f".{name}", (then, then))
    with recorded(config):
        pass
    assert [path.name for path in stage.iterdir()] == [".fresh"]
