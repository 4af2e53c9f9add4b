"""A real slide, real ontologies and real report text, through the same command as everything else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slide, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def out(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    (folder / "a_folder.svs").mkdir()
    (folder / "empty.txt").write_text("")
    shutil.copy(shared / "text" / "pathreasoner_diagnosis_example.json", folder / "reports.json")
    rows = [
        "cmu-1-small-region.svs,P1,bladder,reports.json",
        "unreadable.svs,P2,,",
        "broken.svs,P3,,",
        "gone.svs,P4,,",
        "a_folder.svs,P5,,empty.txt",
    ]
    (folder / "manifest.csv").write_text("path,patient_id,organ,report\n" + "\n".join(rows) + "\n")
    settings = {
        "slides": str(shared / "slides"),
        "manifest": "manifest.csv",
        "out": "out",
        "graph": {"sources_dir": str(shared / "kg"), "sources": ["ncit", "oncotree", "pato"]},
        "tiling": {"scales_mpp": {"low": 2.0, "mid": 1.0, "high": 0.5}, "max_failed_share": 0.9},
        "release": {"dataset": "cmu", "gate": {"identifying_text": "mask"}},
    }
    config = folder / "run.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "flows.cli", "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder / "out"


def count(out: Path, table: str, where: str = "true") -> int:
    files = out / "store" / "cmu" / "1.0.0" / "data" / table / "*.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(f"select count(*) from read_parquet('{files}') where {where}").fetchone()
    assert found is not None
    return int(found[0])


def test_fields_of_the_real_slide_stand_at_three_scales(out: Path) -> None:
    fields = count(out, "fields")
    assert fields > 10
    assert count(out, "tiles") == 3 * fields
    assert count(out, "tiles", "scale = 'high' and abs(mpp - 0.499) < 0.001") == fields


def test_every_slide_that_cannot_be_used_is_a_row_with_its_reason(out: Path) -> None:
    for name, reason in (
        ("unreadable.svs", "unreadable"),
        ("broken.svs", "not_a_slide"),
        ("gone.svs", "missing_file"),
        ("a_folder.svs", "not_a_slide"),
    ):
        assert count(out, "rejections", f"item_id = '{name}' and reason = '{reason}'") == 1, name


def test_real_report_text_is_linked_to_real_ontologies_with_status(out: Path) -> None:
    assert count(out, "reports") == 11
    assert count(out, "mentions") > 300
    assert count(out, "mentions", "status = 'absent'") > 20
    assert count(out, "mentions", "concept_id like 'NCIT:%'") > 50


def test_captions_and_reasoning_come_from_the_reports(out: Path) -> None:
    assert count(out, "captions") > 0
    assert json.loads((out / "run.json").read_text())["release"]["rows"]["captions"] > 0


def test_the_report_is_written(out: Path) -> None:
    assert "cmu-1-small-region.svs" in (out / "report.html").read_text()
