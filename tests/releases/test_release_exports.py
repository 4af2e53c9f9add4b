"""Releases handed on to the Hub, to Iceberg, and to Great Expectations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.records import TABLES
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.data_docs import write_data_docs
from tasks.releases.expectations import expectations
from tasks.releases.exports import export_hub, export_iceberg
from tasks.releases.publish import publish
from tasks.releases.read import Release, open_release

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def test_an_export_for_the_hub_holds_card_data_and_what_git_needs(published: Release, tmp_path: Path) -> None:
    folder = export_hub(published, tmp_path / "hub")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {entry["path"] for entry in published.entries()} | {".gitattributes"}
    assert (folder / "README.md").read_bytes() == (published.path / "README.md").read_bytes()
    assert "*.parquet filter=lfs" in (folder / ".gitattributes").read_text()
    export_hub(published, folder)


def test_an_export_leaves_no_table_of_an_earlier_version_and_touches_no_file_of_anybody_else(
    published: Release, tmp_path: Path
) -> None:
    tiles = tmp_path / "hub" / "data" / "tiles"
    tiles.mkdir(parents=True)
    older = ["train-00000-of-00003.parquet", "train-00001-of-00003.parquet.part"]
    for name in (*older, "train-of-mine.parquet"):
        (tiles / name).write_bytes(b"a patient who withdrew")
    with pytest.raises(InputError, match="hub holds data/tiles/train-of-mine.parquet, which is of no release"):
        export_hub(published, tmp_path / "hub")
    assert len(list((tmp_path / "hub").rglob("*"))) == 5  # as it was: two folders, three files
    (tiles / "train-of-mine.parquet").unlink()
    export_hub(published, tmp_path / "hub")
    there = {f"data/tiles/{path.name}" for path in tiles.iterdir()}
    assert there == {entry["path"] for entry in published.tables["tiles"]["files"]}


@pytest.mark.filterwarnings("ignore")  # of the libraries that pyiceberg stands on
def test_versions_are_snapshots_of_an_iceberg_table_and_no_file_is_copied(
    rows: Rows, build: Build, shared_store: Path, config: ReleaseConfig, tmp_path: Path
) -> None:
    sql = pytest.importorskip("pyiceberg.catalog.sql")
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    catalog = sql.SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=warehouse.as_uri())
    older = open_release(shared_store, "sample")
    rows["captions"][0] = replace(rows["captions"][0], text="Glands are seen.")
    newer = publish(build(rows), config.model_copy(update={"version": "1.1.0"}), shared_store)
    export_iceberg(older, catalog)
    snapshots = export_iceberg(newer, catalog)
    assert set(snapshots) == set(newer.tables)
    captions = catalog.load_table("sample.captions")
    assert {"v1.0.0", "v1.1.0"} <= set(captions.refs())
    new = captions.scan().to_arrow()["text"].to_pylist()
    old = captions.scan(snapshot_id=captions.snapshot_by_name("v1.0.0").snapshot_id).to_arrow()["text"].to_pylist()
    assert ("Glands are seen." in new, "Glands are seen." in old, len(new), len(old)) == (True, False, 12, 12)
    think = catalog.load_table("sample.reasoning").scan().to_arrow()["think"].to_pylist()
    assert think[0][0]["edge_id"] == "edge_1"
    assert list(warehouse.rglob("*.parquet")) == []
    with pytest.raises(InputError, match=r"has v1\.1\.0 already"):
        export_iceberg(newer, catalog)
    catalog.close()


def test_every_table_expects_its_closed_lists_and_its_required_columns() -> None:
    for table in TABLES:
        kinds = {(rule.column, rule.kind) for rule in expectations(table)}
        assert kinds
        assert ("image", "present") not in kinds
    scale = [rule for rule in expectations("tiles") if rule.column == "scale" and rule.kind == "one_of"]
    assert scale[0].values == ("low", "mid", "high")
    assert not [rule for rule in expectations("captions") if rule.column == "tile_id"]  # it may be null


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of great-expectations and what it stands on
def test_data_docs_show_every_table_and_what_fails(published: Release, tmp_path: Path) -> None:
    pytest.importorskip("great_expectations")
    found = write_data_docs(published, tmp_path / "docs")
    assert found == dict.fromkeys(published.tables, True)
    pages = {path.stem for path in (tmp_path / "docs" / "expectations").rglob("*.html")}
    assert pages == set(published.tables)
    assert {path.parts[-4] for path in (tmp_path / "docs" / "validations").rglob("*.html")} >= set(published.tables)
    assert "tiles" in (tmp_path / "docs" / "index.html").read_text()
    less = {**published.manifest, "tables": {"tiles": {**published.tables["tiles"], "rows": 35}}}
    assert write_data_docs(replace(published, manifest=less), tmp_path / "wrong") == {"tiles": False}
