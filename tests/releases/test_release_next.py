"""The version `next`: what a schedule publishes under, night after night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import GateError
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.stores import LocalStore
from tasks.releases.versions import next_version, versions

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
        found.append(next_version(store, "sample"))
    assert found == ["2.0.0", "2.1.0"]


def test_publishers_of_the_next_version_at_once_publish_one(
    tmp_path: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    following, store = config.model_copy(update={"version": "next"}), LocalStore(tmp_path)
    appear = store.publish

    def second(folder: str, contents: Any, manifest: bytes) -> bool:
        store.publish = appear  # type: ignore[method-assign]  # the other is first, between our look and our rename
        assert publish(candidate, following, store).version == "1.0.0"
        return appear(folder, contents, manifest)

    store.publish = second  # type: ignore[method-assign]
    assert publish(candidate, following, store).version == "1.0.0"
    assert versions(store, "sample") == ["1.0.0"]


def test_what_is_refused_beside_a_bucket_is_kept_where_the_run_is(
    tmp_path: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    twice = replace(candidate, tables={**candidate.tables, "captions": [*candidate.tables["captions"]] * 2})
    with pytest.raises(GateError, match="keys_are_unique"):
        publish(twice, config, tmp_path / "store", refused=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "quarantine").iterdir()] == ["sample"]
    assert not (tmp_path / "store" / "quarantine").exists()
