"""The columns of published tables are frozen by version: a change without a new version and a migration fails here.

To freeze a new version: raise SCHEMA_VERSION in schemas/migrations.py, write the migration from the version before, and
run this file once with SLIDESMITH_FREEZE=1.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import InputError
from schemas.migrations import MIGRATIONS, SCHEMA_VERSION, migrated
from schemas.records import TABLES
from tasks.releases.lineage import trace
from tasks.releases.published import published_schema
from tasks.releases.read import Release, open_release
from tasks.releases.rows import read_rows
from tasks.releases.verify import verify

FROZEN = Path(__file__).resolve().parents[1] / "data" / "releases"
VERSIONS = range(1, SCHEMA_VERSION + 1)


def test_the_columns_of_this_version_are_those_that_were_frozen(published: Release) -> None:
    frozen = FROZEN / f"v{SCHEMA_VERSION}"
    if os.environ.get("SLIDESMITH_FREEZE"):
        shutil.copytree(published.path, frozen)
    release = open_release(frozen)
    assert set(release.tables) == set(TABLES)
    for table in TABLES:
        held = pq.read_schema(release.files(table)[0]).remove_metadata()
        assert held.equals(published_schema(table).remove_metadata()), f"{table} changed: see the head of this file"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_release_of_every_version_is_whole_and_reads_as_one_of_this(version: int) -> None:
    release = open_release(FROZEN / f"v{version}")
    assert release.schema_version == version
    assert verify(release) == []
    for table in TABLES:
        rows = read_rows(release, table)
        assert rows.column_names == published_schema(table).names
        assert rows.num_rows == release.tables[table]["rows"]
    question = read_rows(release, "questions", ["question_id"]).column(0)[0].as_py()
    assert {row["table"] for row in trace(release, question)["from"]} >= {"fields", "tiles", "slides"}


def test_every_version_but_this_has_a_migration() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION))


def test_rows_pass_through_every_step_between_two_versions() -> None:
    steps = {
        1: lambda table, rows: rows.rename_columns([f"{table}_id"]),
        2: lambda table, rows: rows.append_column("stain", pa.repeat("H&E", rows.num_rows)),
    }
    old = pa.table({"id": ["a", "b"]})
    assert migrated("slide", old, 1, migrations=steps, current=3).to_pydict() == {
        "slide_id": ["a", "b"],
        "stain": ["H&E", "H&E"],
    }
    assert migrated("slide", old, 3, migrations=steps, current=3) is old


def test_a_release_of_a_later_version_is_refused_with_a_remedy() -> None:
    with pytest.raises(InputError, match=r"has schema version 9, .*update Slidesmith"):
        migrated("slides", pa.table({}), 9)
