"""Flow: the gate, and publication of a version."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.candidate import gather_candidate
from flows.config import RunConfig, resolve_config
from flows.outcome import note_release
from flows.plan import make_plan
from tasks.releases.task import publish_candidate


@flow(name="publish-release")
def publish_release(config: RunConfig | Path) -> str:
    """Publish the run's dataset; returns the release's fingerprint.

    Raises:
        GateError: a check failed; the candidate stands in quarantine with its report.
        VersionExistsError: this version holds other content, or was deleted.
    """
    settings = resolve_config(config)
    plan = make_plan(settings)
    release = publish_candidate(gather_candidate(plan), settings.release, plan.release_store, settings.out)
    note_release(plan, release)
    return release.fingerprint
