"""`slidesmith run --dry-run`: shards to do and done, and what endpoints would be asked, in every state of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli import main
from flows.config import load_config
from flows.plan import Plan, make_plan
from schemas.records import Provenance, Question
from tasks.review.events import new_event, write_events
from tasks.store import ShardWriter

pytest.importorskip("openai", reason="the extra [llm] is not installed")
ENDPOINT = {"base_url": "http://127.0.0.1:9/v1", "model": "reader", "prices": {"input": 1, "output": 2}}
MADE = Provenance("rules", code_version="v")


def question(number: int) -> Question:
    return Question(
        question_id=f"mcq_{number}", field_id="field_1", slide_id="slide_1", patient_id="p1", dimension="explanation",
        template="t", template_kind="free", scales=("high",), question=f"What is seen in field {number}?",
        options=("mucin", "keratin", "necrosis"), option_concepts=("a", "b", "c"), answer_index=0,
        rationale="Mucin is seen.", evidence_ids=("e",), option_set_id=None, cell="explanation/t/rules", split="train",
        round=0, provenance=MADE,
    )  # fmt: skip


@pytest.fixture
def planned(inputs: Path, tmp_path: Path) -> Callable[..., tuple[Path, Plan]]:
    def write(**settings: Any) -> tuple[Path, Plan]:
        config = {"slides": str(inputs / "slides"), "manifest": str(inputs / "manifest.csv"), "out": "out", **settings}
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        return tmp_path / "run.yaml", make_plan(load_config(tmp_path / "run.yaml"))

    return write


def told(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    main(["run", "--config", str(config), "--dry-run", "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def empty(out: ShardWriter) -> None:
    out.count(items_in=0, items_out=0, rejections=[])


def test_without_an_endpoint_there_is_nothing_to_pay(planned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config, plan = planned()
    plan.store.ensure("tiling", plan.tiling[0], empty)
    found = told(config, capsys)
    assert found["shards"]["tiling"] == {"to_do": 5, "done": 1}
    assert (found["endpoints"], found["not_counted"]) == ({}, [])
    main(["run", "--config", str(config), "--dry-run"])
    assert "without a call" in capsys.readouterr().out


def test_tiles_that_were_made_before_the_bucket_was_named_stay_here_until_there_is_a_run(
    planned: Any, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, plan = planned()
    plan.store.ensure("tiling", plan.tiling[0], empty)
    config, _ = planned(shards="s3://lab-bucket/shards", generation={"generator": "openai", "endpoint": ENDPOINT})
    assert told(config, capsys)["shards"]["tiling"] == {"to_do": 5, "done": 1}
    assert "Contents" not in s3.list_objects_v2(Bucket="lab-bucket")


def test_what_screening_would_ask_is_counted_once_its_questions_are_written(
    planned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config, plan = planned(screening={"endpoint": {"endpoint": ENDPOINT, "modes": ["letters"]}, "writer": ENDPOINT})
    before = told(config, capsys)
    assert before["endpoints"] == {}
    assert [line.split(":")[0] for line in before["not_counted"]] == [
        "calls of screening's reader",
        "calls of screening's writer",
    ]

    def questions(out: ShardWriter) -> None:
        out.write_records("questions", [question(number) for number in range(4)], Question)
        out.count(items_in=4, items_out=4, rejections=[])

    plan.store.ensure("questions", plan.questions, questions)
    for key in plan.texts:
        plan.store.ensure("texts", key, empty)
    after = told(config, capsys)
    assert after["endpoints"]["screening"]["calls"] == 4 * 3  # every rotation of three options
    assert after["endpoints"]["screening"]["cost"] > 0
    assert len(after["not_counted"]) == 1
    main(["run", "--config", str(config), "--dry-run"])
    assert "screening         12" in capsys.readouterr().out
    plan.store.ensure("screening", plan.screening, empty)
    assert told(config, capsys)["endpoints"] == {}


def test_edits_that_wait_to_be_screened_again_are_named(planned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config, plan = planned(screening={"endpoint": {"endpoint": ENDPOINT}})
    plan.store.ensure("screening", plan.screening, empty)
    line = "calls of screening's reader for questions that annotators rewrote"
    assert line not in told(config, capsys)["not_counted"]
    at = "2026-01-02T03:04:05Z"
    blind = new_event("mcq_1", "ann", "blind", {"answer": 0}, at=at, previous="")
    edit = {"decision": "edit", "edit": {"question": "What is seen?"}}
    plan.decisions_file.parent.mkdir(parents=True, exist_ok=True)
    write_events(
        plan.decisions_file, [blind, new_event("mcq_1", "ann", "verdict", edit, at=at, previous=blind.event_id)]
    )
    assert line in told(config, capsys)["not_counted"]
