"""A deleted version is gone with what it alone held, and its number is never used again."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import GateError, InputError, VersionExistsError
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.delete import delete
from tasks.releases.publish import publish
from tasks.releases.read import open_release
from tasks.releases.retract import retract
from tasks.releases.stores import LocalStore, objects_of
from tasks.releases.tags import list_tags, set_tag
from tasks.releases.verify import verify
from tasks.releases.versions import versions
from tasks.releases.withdrawal import as_candidate


def held(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in (place / "objects").iterdir()}


def needed(place: Path, version: str) -> set[str]:
    named = objects_of(open_release(place, "sample", version).manifest)
    return {path for _, path in named if path.endswith(".parquet")}


def test_a_deleted_version_leaves_nothing_of_its_own_and_its_number_is_not_used_again(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig
) -> None:
    store, following = LocalStore(tmp_path), config.model_copy(update={"version": "next"})
    publish(lean, config, store)
    set_tag(store, "sample", "paper", "1.0.0")
    successor = retract(store, "sample", "P01").successor
    rest = replace(as_candidate(successor), lineage={})
    both = held(tmp_path)
    assert delete(tmp_path, "sample", "1.0.0") == len(both - needed(tmp_path, "1.0.1")) > 0
    assert held(tmp_path) == needed(tmp_path, "1.0.1") < both
    assert (verify(successor), versions(store, "sample")) == ([], ["1.0.1"])
    assert list_tags(store, "sample") == {"latest": "1.0.1"}
    with pytest.raises(VersionExistsError, match=r"sample 1\.0\.0 was deleted; publish under a new version"):
        publish(rest, config, store)
    kept = publish(rest, following.model_copy(update={"licence": "mit"}), tmp_path / "kept")
    for _ in range(2):
        delete(store, "sample", "1.0.1")
    assert (versions(store, "sample"), list_tags(store, "sample"), held(tmp_path)) == ([], {}, set())
    with pytest.raises(GateError, match=r"patients_stay_withdrawn: P01 withdrew in 1\.0\.1"):
        publish(lean, following, store)
    assert publish(replace(as_candidate(kept), lineage={}), following, store).version == "1.1.0"
    for wrong in ("latest", "9.9.9"):
        with pytest.raises(InputError, match=f"sample has no version '{wrong}'; its versions: 1.1.0"):
            delete(store, "sample", wrong)


def test_nothing_beside_the_store_is_deleted(tmp_path: Path, lean: Candidate, config: ReleaseConfig) -> None:
    publish(lean, config, tmp_path / "other")
    for dataset in ("../other/sample", f"{tmp_path}/other/sample"):
        with pytest.raises(InputError, match=r"has no version '1\.0\.0'"):
            delete(tmp_path / "store", dataset, "1.0.0")
    assert verify(open_release(tmp_path / "other", "sample")) == []


def test_the_number_of_a_deleted_successor_is_passed_over_by_the_next_one(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig
) -> None:
    publish(lean, config, tmp_path)
    (tmp_path / "sample" / "1.0.1").mkdir()
    delete(tmp_path, "sample", "1.0.1")
    assert not (tmp_path / "sample" / "1.0.1").exists()
    assert retract(tmp_path, "sample", "P01").successor.version == "1.0.2"


class DiesError(Exception):
    """Stands for the end of a process."""


class DyingStore(LocalStore):
    """A store whose user dies before its n-th removal."""

    def __init__(self, root: Path, point: int) -> None:
        super().__init__(root)
        self.left = point

    def remove(self, path: str) -> bool:
        if self.left == 0:
            raise DiesError
        self.left -= 1
        return super().remove(path)


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(
    tmp_path: Path, lean: Candidate, config: ReleaseConfig
) -> None:
    whole = tmp_path / "whole"
    publish(lean, config, whole)
    objects = len(held(whole))
    for point in (0, 1, objects, *range(objects + 1, objects + 20)):
        store = DyingStore(tmp_path / f"{point}", point)
        shutil.copytree(whole, store.root, copy_function=os.link)
        ended = False
        try:
            delete(store, "sample", "1.0.0")
            ended = True
        except DiesError:
            delete(store.root, "sample", "1.0.0")
        assert (held(store.root), list_tags(store, "sample")) == (set(), {})
        assert [path.name for path in (store.root / "sample").iterdir() if path.name != "tags"] == ["deleted"]
        if ended:
            return
    pytest.fail("no deletion came to its end")
