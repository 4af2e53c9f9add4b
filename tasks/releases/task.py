"""Prefect task of releases: the gate, then publication."""

from __future__ import annotations

from pathlib import Path

from prefect import task

from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import Release


@task(name="publish release", persist_result=False)
def publish_candidate(candidate: Candidate, config: ReleaseConfig, store: Path | str, out: Path) -> Release:
    """Publish a candidate that passes the gate; the same candidate again gives the release that is there."""
    return publish(candidate, config, store, refused=None if isinstance(store, Path) else out)
