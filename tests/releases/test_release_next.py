"""The version `next`: what a schedule publishes under, night after night."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import GateError, StoreError
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import open_release
from tasks.releases.retract import retract
from tasks.releases.stores import LocalStore
from tasks.releases.versions import next_version, taken_numbers, versions
from tasks.releases.withdrawal import as_candidate
from tests.releases.beside import beside

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def test_the_next_version_is_a_minor_number_more_where_something_has_changed_and_the_latest_where_not(
    tmp_path: Path, rows: Rows, build: Build, config: ReleaseConfig
) -> None:
    following, store = config.model_copy(update={"version": "next"}), tmp_path / "store"
    first = publish(build(rows), following, store)
    assert (first.version, first.manifest["release_config"]["version"]) == ("1.0.0", "1.0.0")
    assert publish(build(rows), following, store).version == "1.0.0"
    assert publish(build(rows), following.model_copy(update={"licence": "mit"}), store).version == "1.1.0"
    rows["captions"][0] = replace(rows["captions"][0], text="Glands are seen.")
    assert publish(build(rows), following, store).version == "1.2.0"
    assert versions(LocalStore(store), "sample") == ["1.0.0", "1.1.0", "1.2.0"]


def test_the_next_version_after_a_candidate_or_a_patch(
    tmp_path: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    store = LocalStore(tmp_path)
    found = []
    for version in ("2.0.0-rc.1", "2.0.1"):
        publish(candidate, config.model_copy(update={"version": version}), store)
        found.append(next_version(taken_numbers(store, "sample")))
    assert found == ["2.0.0", "2.1.0"]


def test_publishers_of_the_next_version_at_once_publish_one(
    tmp_path: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    following = config.model_copy(update={"version": "next"})
    store = beside(LocalStore(tmp_path), lambda: publish(candidate, following, tmp_path))
    assert publish(candidate, following, store).version == "1.0.0"
    assert versions(store, "sample") == ["1.0.0"]


@pytest.mark.parametrize("version", ["next", "1.5.0"])
def test_a_version_that_appears_after_the_gate_has_looked_makes_it_look_again(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig, version: str
) -> None:
    wanted = config.model_copy(update={"version": version})
    swapped = replace(lean, split_of_patient={"P00": "test", "P01": "train"})
    store = beside(LocalStore(tmp_path), lambda: publish(lean, config, tmp_path))
    with pytest.raises(GateError, match="patients_keep_their_split: P00 stands in split test, in 1.0.0 in train"):
        publish(swapped, wanted, store)
    assert versions(store, "sample") == ["1.0.0"]
    beside(store, lambda: publish(swapped, config.model_copy(update={"version": "2.0.0"}), tmp_path))
    assert publish(lean, wanted.model_copy(update={"licence": "mit", "version": "1.5.0"}), store).version == "1.5.0"


@pytest.mark.parametrize("version", ["next", "1.5.0", "2.0.0"])
def test_who_withdraws_while_a_run_publishes_does_not_come_back_with_it(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig, version: str
) -> None:
    publish(lean, config, tmp_path)
    store = beside(LocalStore(tmp_path), lambda: retract(tmp_path, "sample", "P01"))
    with pytest.raises(GateError, match=r"patients_stay_withdrawn: P01 withdrew in 1\.0\.1"):
        publish(lean, config.model_copy(update={"version": version, "licence": "mit"}), store)
    assert versions(store, "sample") == ["1.0.0", "1.0.1"]


def test_who_withdraws_while_a_run_without_them_publishes_is_remembered_by_it(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig
) -> None:
    publish(lean, config, tmp_path / "store")
    retract(tmp_path / "store", "sample", "P01")
    rest = replace(as_candidate(open_release(tmp_path / "store", "sample")), lineage={})
    store = LocalStore(tmp_path / "other")
    publish(lean, config, store)
    beside(store, lambda: retract(tmp_path / "other", "sample", "P01"))
    release = publish(rest, config.model_copy(update={"version": "next", "licence": "mit"}), store)
    assert (release.version, len(release.manifest["lineage"]["withdrawn"])) == ("1.1.0", 1)


def test_versions_of_a_dataset_appear_one_after_the_other(tmp_path: Path) -> None:
    store, contents = LocalStore(tmp_path), {"README.md": b""}
    others: list[threading.Thread] = []

    def slow() -> bool:
        others.append(threading.Thread(target=store.publish, args=("sample/1.1.0", contents, b"{}")))
        others[0].start()
        others[0].join(0.2)
        return versions(store, "sample") == []

    assert store.publish("sample/1.0.0", contents, b"{}", slow)
    others[0].join()
    assert versions(store, "sample") == ["1.0.0", "1.1.0"]
    assert not store.publish("sample/1.2.0", contents, b"{}", lambda: False)
    assert versions(store, "sample") == ["1.0.0", "1.1.0"]


def test_what_is_left_of_a_version_that_was_deleted_keeps_its_number(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig
) -> None:
    publish(lean, config, tmp_path)
    (tmp_path / "sample" / "1.1.0").mkdir()
    following = config.model_copy(update={"version": "next", "licence": "mit"})
    assert publish(lean, following, tmp_path).version == "1.2.0"
    with pytest.raises(StoreError, match=r"sample/1\.1\.0 is in the way: .*release delete --version 1\.1\.0"):
        publish(lean, config.model_copy(update={"version": "1.1.0"}), tmp_path)


def test_what_is_refused_beside_a_bucket_is_kept_where_the_run_is(
    tmp_path: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    twice = replace(candidate, tables={**candidate.tables, "captions": [*candidate.tables["captions"]] * 2})
    with pytest.raises(GateError, match="keys_are_unique"):
        publish(twice, config, tmp_path / "store", refused=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "quarantine").iterdir()] == ["sample"]
    assert not (tmp_path / "store" / "quarantine").exists()
