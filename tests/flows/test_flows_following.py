"""Night after night: what has changed is released as the next version, and decisions made meanwhile wait for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks._without_prefect import line, without_prefect
from benchmarks.scale import draw, subset
from flows.candidate import gather_candidate
from flows.config import RunConfig
from flows.curate import curate, decided_by_now
from flows.outcome import published as last_published
from flows.plan import make_plan
from flows.run_log import read_runs
from schemas.errors import InputError, StoreError
from tasks.releases.stores import LocalStore
from tasks.releases.versions import versions

FOLLOWING = {"dataset": "nightly", "version": "next"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("inputs"), 6)


def published(config: RunConfig) -> list[str]:
    return versions(LocalStore(config.out / "store"), "nightly")


def test_a_night_with_something_new_publishes_the_next_version_and_one_without_does_nothing(
    inputs: Path, tmp_path: Path
) -> None:
    config = subset(inputs, 5, tmp_path / "out", release=FOLLOWING)
    with pytest.raises(InputError, match="nothing has been published from this folder yet; run publish-release first"):
        assert last_published(make_plan(config))
    with without_prefect():
        fingerprint = line(config)
    assert published(config) == ["1.0.0"]
    left = {path: path.stat().st_mtime_ns for path in config.out.rglob("*") if path.is_file()}
    assert curate.fn(config) == fingerprint
    (night,) = read_runs(config.out)
    assert (night["status"], night["version"]) == ("completed", "1.0.0")
    assert not [path for path, written in left.items() if path.stat().st_mtime_ns != written]
    decided = config.model_copy(update={"decisions": tmp_path / "decided.jsonl"})
    (tmp_path / "decided.jsonl").write_text("{}\n")
    with pytest.raises(StoreError, match="there is no shard reviewed/.*; run the reviewed stage first, or again"):
        gather_candidate(make_plan(decided))
    more = subset(inputs, 6, config.out, release=FOLLOWING)
    with without_prefect():
        line(more)
    assert published(config) == ["1.0.0", "1.1.0"]
    assert json.loads((config.out / "run.json").read_text())["release"]["path"] == "store/nightly/1.1.0"
    assert "Slidesmith dataset 1.1.0" in (config.out / "report.html").read_text()


def test_what_is_decided_while_a_run_goes_on_is_of_the_next_run(inputs: Path, tmp_path: Path) -> None:
    config = subset(inputs, 5, tmp_path / "out")
    with decided_by_now(config) as settings:
        undecided = make_plan(settings).reviewed
        assert undecided == make_plan(config).reviewed
        log = make_plan(config).decisions_file
        log.parent.mkdir(parents=True)
        log.write_text("{}\n")
        assert make_plan(settings).reviewed == undecided != make_plan(config).reviewed
    with decided_by_now(config) as settings:
        decided = make_plan(settings).reviewed
        log.write_text("{}\n{}\n")
        assert make_plan(settings).reviewed == decided != make_plan(config).reviewed
    assert not list((config.out / "work").glob(".decisions-*"))
