"""A small release candidate as fixtures, and releases of it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import Release, open_release
from tests.releases.sample_run import Rows, lean_candidate, sample_config, sample_rows, write_candidate


@pytest.fixture
def rows() -> Rows:
    """Records of every table."""
    return sample_rows()


@pytest.fixture
def candidate(tmp_path: Path, rows: Rows) -> Candidate:
    """A candidate that passes the gate."""
    return write_candidate(tmp_path / "shards", rows)


@pytest.fixture
def lean(tmp_path: Path) -> Candidate:
    """A small candidate that passes the gate."""
    return lean_candidate(tmp_path / "lean")


@pytest.fixture
def build(tmp_path: Path) -> Callable[[Rows], Candidate]:
    """Return a function that writes changed rows as a candidate."""
    numbers = itertools.count()
    return lambda rows: write_candidate(tmp_path / f"shards-{next(numbers)}", rows)


@pytest.fixture
def config() -> ReleaseConfig:
    """The configuration of a release."""
    return sample_config()


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that tests read and never touch."""
    folder = tmp_path_factory.mktemp("published")
    return publish(write_candidate(folder / "shards", sample_rows()), sample_config(), folder / "store")


@pytest.fixture
def copied(published: Release, tmp_path: Path) -> Release:
    """A copy of that release's folder, to be damaged."""
    shutil.copytree(published.path, tmp_path / "copied")
    return open_release(tmp_path / "copied")


@pytest.fixture
def shared_store(published: Release, tmp_path: Path) -> Path:
    """A copy of its store with hard links as the store has them, to publish into."""
    store = tmp_path / "shared-store"
    shutil.copytree(published.path.parent.parent, store, copy_function=os.link)
    return store
