"""Publication: a candidate passes the gate and appears as a version, whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.errors import GateError, VersionExistsError
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.database import open_database
from tasks.releases.edition import METADATA, Edition
from tasks.releases.evidence import earlier_versions
from tasks.releases.facts import gather_facts
from tasks.releases.gate import GateReport, check_all
from tasks.releases.masking import mask_reports
from tasks.releases.quarantine import quarantine
from tasks.releases.read import Release, open_release
from tasks.releases.stores import LocalStore, ReleaseStore, open_store
from tasks.releases.tags import point_latest
from tasks.releases.versions import versions


def publish(
    candidate: Candidate, config: ReleaseConfig, store: ReleaseStore | Path | str, created: str | None = None
) -> Release:
    """Publish a candidate as a version, if it passes the gate.

    Args:
        candidate: tables of a run.
        config: dataset, version, licence, bounds of the gate.
        store: a release store, or its address.
        created: time of publication for card and manifest, ISO 8601; nothing else in a release depends on a clock.

    Returns:
        The release; where the version is there already with the same cells, the one that is there.

    Raises:
        GateError: a check failed; the candidate stands in quarantine with its report.
        VersionExistsError: the version is there with other content.
        InputError: a table or file of the candidate is not known or not there.

    Determinism: equal candidates, configuration, `created` and earlier versions give equal bytes.
    """
    place = open_store(store) if isinstance(store, (Path, str)) else store
    candidate.check_form()
    with tempfile.TemporaryDirectory(prefix="slidesmith-release-") as folder:
        if config.gate.identifying_text == "mask":
            candidate = mask_reports(candidate, Path(folder))
        return _publish(candidate, config, place, created, Path(folder))


def _publish(
    candidate: Candidate, config: ReleaseConfig, place: ReleaseStore, created: str | None, folder: Path
) -> Release:
    with open_database(candidate, folder, config.workers) as connection:
        exists = config.version in versions(place, config.dataset)
        report = None
        if not exists:
            earlier = earlier_versions(place, config.dataset, config.version)
            report = check_all(connection, candidate, config.gate, config.workers, earlier)
        if report is not None and not report.passed:
            raise refuse(candidate, config, report, place)
        edition = Edition(candidate, config, place, created)
        tables = edition.write_tables(connection)
        release = None
        if report is not None:
            release = edition.appear(tables, gather_facts(connection), report)
    release = release or _same(open_release(place, config.dataset, config.version), edition, tables)
    point_latest(place, config.dataset)
    return release


def refuse(candidate: Candidate, config: ReleaseConfig, report: GateReport, store: ReleaseStore) -> GateError:
    """Put a candidate into quarantine and return the error to raise."""
    root = store.root if isinstance(store, LocalStore) else Path.cwd()
    return report.error(quarantine(candidate, config, report, root))


def _same(release: Release, edition: Edition, tables: Mapping[str, Mapping[str, Any]]) -> Release:
    """Return the release that is there, if it holds what was to be published."""
    remedy = "publish under a new version; a version never changes"
    if release.fingerprint != edition.fingerprint(tables):
        raise VersionExistsError(f"{release.name} is there already, with other content", remedy=remedy)
    chosen = edition.config.model_dump(mode="json")
    if other := [name for name in METADATA if release.manifest[name] != chosen[name]]:
        raise VersionExistsError(f"{release.name} is there already, with another {other[0]}", remedy=remedy)
    return release
