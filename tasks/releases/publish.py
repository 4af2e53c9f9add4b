"""Publication: a candidate passes the gate and appears as a version, whole or not at all."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import VersionExistsError
from tasks.releases.candidate import Candidate
from tasks.releases.config import NEXT, ReleaseConfig
from tasks.releases.database import open_database
from tasks.releases.edition import METADATA, Edition
from tasks.releases.evidence import earlier_versions, returning, withdrawals
from tasks.releases.facts import Facts, gather_facts
from tasks.releases.gate import GateReport, check_all
from tasks.releases.masking import mask_reports
from tasks.releases.quarantine import quarantine
from tasks.releases.read import Release, open_release
from tasks.releases.stores import LocalStore, ReleaseStore, open_store
from tasks.releases.tags import point_latest
from tasks.releases.versions import next_version, versions

if TYPE_CHECKING:
    import duckdb

Tables = dict[str, dict[str, Any]]


def publish(
    candidate: Candidate,
    config: ReleaseConfig,
    store: ReleaseStore | Path | str,
    created: str | None = None,
    refused: Path | None = None,
) -> Release:
    """Publish a candidate as a version, if it passes the gate.

    Args:
        candidate: tables of a run.
        config: dataset, version (or `next`), licence, bounds of the gate.
        store: a release store, or its address.
        created: time of publication for card and manifest, ISO 8601; nothing else in a release depends on a clock.
        refused: folder whose `quarantine` keeps what the gate refuses; default: a local store's, or the current one.

    Returns:
        The release; where the version (of `next`: the latest) is there already with the same cells, that one.

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
        edition = Edition(candidate, _numbered(config, place), place, created)
        root = refused or (place.root if isinstance(place, LocalStore) else Path.cwd())
        with open_database(candidate, Path(folder), config.workers) as connection:
            release = _publish(edition, connection, root, following=config.version == NEXT)
    point_latest(place, config.dataset)
    return release


def _numbered(config: ReleaseConfig, store: ReleaseStore) -> ReleaseConfig:
    number = next_version(store, config.dataset) if config.version == NEXT else config.version
    return config.model_copy(update={"version": number})


def _publish(edition: Edition, connection: duckdb.DuckDBPyConnection, root: Path, *, following: bool) -> Release:
    candidate, config, store = edition.candidate, edition.config, edition.store
    if not following and config.version in versions(store, config.dataset):
        there = open_release(store, config.dataset, config.version)
        return _same(there, edition, edition.write_tables(connection))
    earlier = earlier_versions(store, config.dataset, config.version)
    withdrawn = withdrawals(store, config.dataset)
    returned = returning(config.dataset, candidate.split_of_patient, withdrawn)
    report = check_all(connection, candidate, config.gate, config.workers, earlier, returned)
    if not report.passed:
        raise report.error(quarantine(candidate, config, report, root))
    if withdrawn:
        marks = sorted(withdrawn.keys() | set(candidate.lineage.get("withdrawn", ())))
        edition = replace(edition, candidate=replace(candidate, lineage={**candidate.lineage, "withdrawn": marks}))
    tables, facts = edition.write_tables(connection), gather_facts(connection)
    if following:
        return _follow(edition, tables, facts, report)
    return edition.appear(tables, facts, report) or _same(
        open_release(store, config.dataset, config.version), edition, tables
    )


def _follow(edition: Edition, tables: Tables, facts: Facts, report: GateReport) -> Release:
    """Return the latest release where it holds the same, else publish the version after it, also beside others."""
    store, dataset = edition.store, edition.config.dataset
    while True:
        known = versions(store, dataset)
        if known and not _difference(latest := open_release(store, dataset, known[-1]), edition, tables):
            return latest
        version = next_version(store, dataset)
        edition = replace(edition, config=edition.config.model_copy(update={"version": version}))
        if release := edition.appear(tables, facts, report):
            return release


def _same(release: Release, edition: Edition, tables: Tables) -> Release:
    """Return the release that is there, if it holds what was to be published."""
    if difference := _difference(release, edition, tables):
        raise VersionExistsError(
            f"{release.name} is there already, with {difference}",
            remedy="publish under a new version, or under `next`; a version never changes",
        )
    return release


def _difference(release: Release, edition: Edition, tables: Tables) -> str:
    """Return in what a release differs from what is to be published; nothing where it does not."""
    if release.fingerprint != edition.fingerprint(tables):
        return "other content"
    chosen = edition.config.model_dump(mode="json")
    other = [name for name in METADATA if release.manifest[name] != chosen[name]]
    return f"another {other[0]}" if other else ""
