"""Versions of the published tables: what a release of an older version needs to be read as one of this version.

The version is raised when a column of a published table is added, removed, renamed or given another meaning. Then a
release of the version before is frozen under `tests/data/releases/`, and a migration is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from schemas.errors import InputError

SCHEMA_VERSION = 1

Migration = Callable[[str, pa.Table], pa.Table]
"""From a table's name and rows in one version to its rows in the next; pure, and blind to the order of rows."""

MIGRATIONS: Mapping[int, Migration] = {}
"""By the version they start from; one for each version before this one."""


def migrated(
    table: str,
    rows: pa.Table,
    version: int,
    *,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    current: int = SCHEMA_VERSION,
) -> pa.Table:
    """Return rows of an older version as rows of this one.

    Args:
        table: name of the table.
        rows: rows as they were published.
        version: schema version of the release that they stand in.
        migrations: steps by the version they start from.
        current: version to arrive at.

    Raises:
        InputError: the rows are of a later version than this code knows.
    """
    if version > current:
        raise InputError(
            f"the release has schema version {version}, this is Slidesmith for version {current}",
            remedy="update Slidesmith, or pull an older version of the dataset",
        )
    for step in range(version, current):
        rows = migrations[step](table, rows)
    return rows
