"""A release handed on: as a folder for the Hub, or as tables of an Iceberg catalog. Nothing is rewritten."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from schemas.records import TABLES
from tasks.releases.extras import need
from tasks.releases.published import published_schema
from tasks.releases.pull import PART, fetch, strangers
from tasks.releases.read import Release

DATA = "data"
SHARD = re.compile(rf"{DATA}/({'|'.join(TABLES)})/\w+-\d{{5}}-of-\d{{5}}\.parquet({re.escape(PART)})?")
ATTRIBUTES = "*.parquet filter=lfs diff=lfs merge=lfs -text\n*.png filter=lfs diff=lfs merge=lfs -text\n"


def export_hub(release: Release, to: Path) -> Path:
    """Copy a release to a folder that can be pushed to the Hub as a dataset repository.

    Args:
        release: a release of any store.
        to: folder, new or of an earlier export; tables of another version are removed from it, for the Hub would serve
            them beside these, with the rows of whoever has withdrawn since.

    Raises:
        InputError: the folder's `data` holds something else; nothing is removed or copied.
        StoreError: a file of the release is missing or altered.
    """
    foreign = strangers(to, {entry["path"] for entry in release.entries()}, DATA)
    if strange := [path for path in foreign if not SHARD.fullmatch(path)]:
        raise InputError(f"{to.name} holds {strange[0]}, which is of no release", remedy="export to a new folder")
    for path in foreign:
        (to / path).unlink()
    for entry in release.entries():
        fetch(release, entry, to / entry["path"])
    (to / ".gitattributes").write_text(ATTRIBUTES)
    return to


def sql_catalog(uri: str, warehouse: str) -> Any:
    """Return an Iceberg catalog that stands in an SQL database; the caller closes it.

    Args:
        uri: address of the database, as SQLAlchemy takes it.
        warehouse: folder (made if needed) or address for the tables' metadata.

    Raises:
        InputError: the address cannot be used.
        MissingExtraError: pyiceberg is not installed.
    """
    sql = need("pyiceberg.catalog.sql", "gate", "registering in an Iceberg catalog")
    if "://" not in warehouse:
        Path(warehouse).mkdir(parents=True, exist_ok=True)
    errors = need("sqlalchemy.exc", "gate", "registering in an Iceberg catalog")
    try:
        return sql.SqlCatalog("slidesmith", uri=uri, warehouse=_address(warehouse))
    except errors.SQLAlchemyError as error:
        raise InputError(
            "the address of the Iceberg catalog cannot be used", remedy="give one such as sqlite:///catalog.db"
        ) from error


def export_iceberg(release: Release, catalog: Any, namespace: str | None = None) -> dict[str, int]:
    """Register a release's files as tables of an Iceberg catalog, each with a tag `v<version>`; no file is copied.

    A later version replaces the rows of the tables; the earlier one stays readable under its tag.

    Args:
        release: a release that the catalog's readers can reach under its address.
        catalog: a pyiceberg catalog.
        namespace: namespace of the tables; the dataset's name if None.

    Returns:
        Per table, the snapshot of this version.

    Raises:
        InputError: this version is registered already.
        MissingExtraError: pyiceberg is not installed.
    """
    need("pyiceberg", "gate", "registering in an Iceberg catalog")
    where = namespace or release.dataset.replace("-", "_").replace(".", "_")
    catalog.create_namespace_if_not_exists(where)
    tag = f"v{release.version}"
    with _quiet():
        tables = {
            n: catalog.create_table_if_not_exists(f"{where}.{n}", schema=published_schema(n)) for n in release.tables
        }
        if taken := [name for name, table in tables.items() if tag in table.refs()]:
            raise InputError(f"{where}.{taken[0]} has {tag} already", remedy="a version is registered once")
        return {name: _register(release, catalog, f"{where}.{name}", tag) for name in tables}


def _register(release: Release, catalog: Any, identifier: str, tag: str) -> int:
    everything = need("pyiceberg.expressions", "gate", "Iceberg").AlwaysTrue()
    table = catalog.load_table(identifier)
    with table.transaction() as change:
        if table.current_snapshot() is not None:
            change.delete(everything)
        change.add_files(
            [_address(path) for path in release.files(identifier.rpartition(".")[2])], check_duplicate_files=False
        )
    table = catalog.load_table(identifier)
    snapshot = int(table.current_snapshot().snapshot_id)
    table.manage_snapshots().create_tag(snapshot, tag).commit()
    return snapshot


def _address(path: str) -> str:
    return path if "://" in path else Path(path).resolve().as_uri()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's notes that images have no statistics: they are not wanted."""
    log = logging.getLogger("pyiceberg.io.pyarrow")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
