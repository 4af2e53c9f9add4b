"""What a run finds of the one before: whether anything is left to do, and which release is trained from."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flows.config import RunConfig
from flows.outcome import finished, note_release, published
from flows.plan import Plan
from flows.train_model import train_model
from flows.write_report import write_report
from schemas.errors import InputError
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import Release
from tasks.store import ShardStore
from tests.releases.sample_run import lean_candidate
from training.config import TrainingConfig


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    (tmp_path / "out" / "review").mkdir(parents=True)
    release = ReleaseConfig(dataset="nightly", version="next")
    return RunConfig(slides=tmp_path, out=tmp_path / "out", release=release, training=TrainingConfig(device="cpu"))


@pytest.fixture
def lean(tmp_path: Path) -> Candidate:
    return lean_candidate(tmp_path / "lean")


@pytest.fixture(autouse=True)
def _of_no_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("train_model", "write_report"):
        monkeypatch.setattr(import_module(f"flows.{module}"), "make_plan", planned)


def planned(config: RunConfig) -> Plan:
    return Plan(config, (), ())


def ended(plan: Plan, release: Release) -> None:
    """Leave what a run leaves that came to its end."""
    note_release(plan, release)
    path = f"store/{release.dataset}/{release.version}"
    told = {"run_key": plan.run, "files": [], "release": {"path": path, "fingerprint": release.fingerprint}}
    (plan.config.out / "run.json").write_text(json.dumps(told))


def click(config: RunConfig) -> None:
    """Leave one more decision of an annotator."""
    with (config.out / "review" / "decisions.jsonl").open("a") as log:
        log.write("{}\n")


@pytest.mark.parametrize("version", ["next", "1.0.0"])
def test_a_run_is_finished_while_its_version_is_the_one_that_stands(
    config: RunConfig, lean: Candidate, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(ShardStore, "find", lambda *_: True)
    config = config.model_copy(update={"release": config.release.model_copy(update={"version": version})})
    plan, store = planned(config), config.out / "store"
    ended(plan, publish(lean, config.release, store))
    assert finished(plan)
    other = publish(lean, config.release.model_copy(update={"version": "1.1.0", "licence": "mit"}), store)
    assert bool(finished(plan)) is (version == "1.0.0")
    if version == "next":  # the run of other inputs ended before its report, and these are there again
        note_release(plan, other)
        assert not finished(plan)


def test_a_run_is_not_finished_where_its_version_now_holds_other_cells(
    config: RunConfig, lean: Candidate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ShardStore, "find", lambda *_: True)
    plan, told = planned(config), tmp_path / "out" / "run.json"
    ended(plan, publish(lean, config.release, config.out / "store"))
    told.write_text(told.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    assert finished(plan) is None


def test_a_model_stands_under_the_key_of_the_release_that_it_was_trained_from(
    config: RunConfig, lean: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[str, str]] = []

    def train(_store: Any, key: str, release: str, *_: Any, **__: Any) -> None:
        trained.append((key, release.rpartition("/")[2]))

    monkeypatch.setattr(import_module("flows.train_model"), "train", train)
    with pytest.raises(InputError, match="nothing has been published from this folder yet"):
        train_model.fn(config)
    first = planned(config)
    note_release(first, publish(lean, config.release, config.out / "store"))
    click(config)
    train_model.fn(config)
    later = planned(config)
    assert later.release != first.release
    assert (published(later).key, trained) == (first.release, [(first.model, "1.0.0")])
    with pytest.raises(InputError, match=r"nightly 1\.0\.0 is of other inputs than there are now; run publish-release"):
        write_report.fn(config)
    changed = config.release.model_copy(update={"licence": "mit"})
    note_release(later, publish(lean, changed, config.out / "store"))
    train_model.fn(config)
    assert trained == [(first.model, "1.0.0"), (later.model, "1.1.0")]
