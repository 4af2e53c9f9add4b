"""Publication: a candidate passes the gate and appears as a version, whole or not at all."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import StoreError, VersionExistsError
from tasks.releases.candidate import Candidate
from tasks.releases.config import NEXT, ReleaseConfig
from tasks.releases.database import open_database
from tasks.releases.edition import METADATA, Edition
from tasks.releases.facts import gather_facts
from tasks.releases.gate import check_again, check_all
from tasks.releases.masking import mask_reports
from tasks.releases.past import Past, look_back, returning
from tasks.releases.quarantine import quarantine
from tasks.releases.read import Release, open_release
from tasks.releases.stores import LocalStore, ReleaseStore, open_store
from tasks.releases.tags import point_latest
from tasks.releases.versions import deleted_versions, versions

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
        VersionExistsError: the version is there with other content, or was deleted.
        StoreError: the version's folder is there without a manifest.
        InputError: a table or file of the candidate is not known or not there.

    Determinism: equal candidates, configuration, `created` and earlier versions give equal bytes.
    """
    place = open_store(store) if isinstance(store, (Path, str)) else store
    candidate.check_form()
    with tempfile.TemporaryDirectory(prefix="slidesmith-release-") as folder:
        if config.gate.identifying_text == "mask":
            candidate = mask_reports(candidate, Path(folder))
        edition = Edition(candidate, config, place, created)
        root = refused or (place.root if isinstance(place, LocalStore) else Path.cwd())
        with open_database(candidate, Path(folder), config.workers) as connection:
            release = _publish(edition, connection, root)
    point_latest(place, config.dataset)
    return release


def _publish(edition: Edition, connection: duckdb.DuckDBPyConnection, root: Path) -> Release:
    """Judge a candidate and let it appear; where versions came or went since it was judged by them, judge it again."""
    candidate, config, store = edition.candidate, edition.config, edition.store
    if config.version in deleted_versions(store, config.dataset):
        raise VersionExistsError(
            f"{config.dataset} {config.version} was deleted", remedy="publish under a new version, or under `next`"
        )
    if config.version in versions(store, config.dataset):
        return _same(edition, edition.write_tables(connection))
    past, written, report = look_back(store, config), None, None
    while True:
        returned = returning(config.dataset, candidate.split_of_patient, past.withdrawn)
        if report is None:
            report = check_all(connection, candidate, config.gate, config.workers, past.earlier, returned)
        else:
            report = check_again(connection, report, past.earlier, returned)
        numbered = _after(edition, past)
        if not report.passed:
            raise report.error(quarantine(candidate, numbered.config, report, root))
        written = written or (edition.write_tables(connection), gather_facts(connection))
        may = partial(past.same, store, config.dataset)
        if release := _there(edition, written[0]) or numbered.appear(*written, report, may):
            return release
        past = _look_again(edition, past)


def _after(edition: Edition, past: Past) -> Edition:
    """Return an edition under its number, with the marks of those who withdrew before it."""
    config, lineage = edition.config.model_copy(update={"version": past.version}), edition.candidate.lineage
    if past.withdrawn:
        lineage = {**lineage, "withdrawn": sorted(past.withdrawn.keys() | set(lineage.get("withdrawn", ())))}
    return replace(edition, config=config, candidate=replace(edition.candidate, lineage=lineage))


def _look_again(edition: Edition, past: Past) -> Past:
    store, config = edition.store, edition.config
    now = look_back(store, config)
    if (now.taken, now.there) == (past.taken, past.there):
        raise StoreError(
            f"{config.dataset}/{past.version} is in the way: a folder that holds no version",
            remedy=f"slidesmith release delete --version {past.version}, then publish under another version",
        )
    return now


def _there(edition: Edition, tables: Tables) -> Release | None:
    """Return the release that holds the same: that of the version or, of `next`, the latest; None if there is none."""
    store, config = edition.store, edition.config
    known = versions(store, config.dataset)
    if config.version in known:
        return _same(edition, tables)
    latest = open_release(store, config.dataset, known[-1]) if known and config.version == NEXT else None
    return latest if latest and not _difference(latest, edition, tables) else None


def _same(edition: Edition, tables: Tables) -> Release:
    """Return the release that is there, if it holds what was to be published."""
    release = open_release(edition.store, edition.config.dataset, edition.config.version)
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
