"""The page of the curation at size is what was measured, and its claims tell what went wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import cohen_kappa_score

from benchmarks.at_size import page
from benchmarks.at_size.claims import claims_of
from benchmarks.at_size.curation import kept, rows_of
from benchmarks.at_size.people import Played, chance
from benchmarks.at_size.services import model

SCREENING = Path(__file__).resolve().parents[2] / "tasks" / "screening"


@pytest.fixture
def told() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.RESULT.read_text())
    return found


def verdict(told: dict[str, Any], begins: str) -> bool:
    (found,) = [bool(row["reached"]) for row in claims_of(told) if row["claim"].startswith(begins)]
    return found


def test_the_page_is_written_from_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = page.PAGE.read_text()
    monkeypatch.setattr(page, "PAGE", tmp_path / "at_size.md")
    page.write_page()
    assert page.PAGE.read_text() == committed


def test_rows_lost_between_stages_and_rows_of_who_withdrew_are_told(told: dict[str, Any]) -> None:
    assert verdict(told, "stages where more goes in")
    told["nights"][0]["outcome"]["stages"]["tiling"]["out"] -= 1
    assert not verdict(told, "stages where more goes in")
    told["withdrawn_rows"] = 2
    assert not verdict(told, "rows of the withdrawn patient")
    told["nights"][-1]["screening"]["rounds"][-1]["summary"]["certifier_verdict"] = "fail"
    assert not verdict(told, "certifier, third night")


def test_what_is_played_has_the_kappa_of_scikit_learn() -> None:
    played = Played()
    for item in map(str, range(60)):
        played.decisions["ann"][item] = "reject" if chance("a", item) < 0.4 else "accept"
        if chance("both", item) < 0.7:
            played.decisions["ben"][item] = "reject" if chance("b", item) < 0.4 else "accept"
    both = played.decisions["ben"].keys()
    readings = [[played.decisions[name][item] for item in both] for name in ("ann", "ben")]
    assert played.kappa() == pytest.approx(cohen_kappa_score(*readings))
    assert played.differ() == sum(a != b for a, b in zip(*readings, strict=True))
    assert played.both() == len(both) == played.counts().total() - 60


def test_the_model_words_questions_anew_as_it_is_asked() -> None:
    template = (SCREENING / "templates" / "rewrite.txt.j2").read_text()
    prompt = jinja2.Template(template, trim_blocks=True).render(question="What is it?", options=["a", "b"])
    body = {
        "response_format": {"json_schema": {"name": "Reworded"}},
        "messages": [{"role": "user", "content": prompt}],
    }
    assert json.loads(model(body).text) == {
        "question": "Put differently: what is it?",
        "options": ["what there is: a", "what there is: b"],
    }


def test_rows_and_questions_that_stay_are_counted(tmp_path: Path) -> None:
    asked = {
        "old": [("q1", "p1", "s"), ("q2", "p1", "s"), ("q3", "p2", "s"), ("q4", "p1", None)],
        "new": [("q1", "p1", "s"), ("q4", "p1", None), ("q5", "p3", "s")],
    }
    for name, rows in asked.items():
        columns = dict(zip(("question_id", "patient_id", "option_set_id"), zip(*rows, strict=True), strict=True))
        folder = tmp_path / name / "data" / "questions"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({key: list(values) for key, values in columns.items()}), folder / "a.parquet")
    assert kept(tmp_path / "old", tmp_path / "new") == {"older": 2, "both": 1}
    assert rows_of(tmp_path / "old", "p1") == 3
    assert rows_of(tmp_path / "new", "p2") == 0
