"""What publishing leaves behind, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from schemas.arrow import schema_of, to_table
from schemas.errors import GateError, InputError, StoreError, VersionExistsError
from schemas.ids import file_sha256
from schemas.records import TABLES, Report
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import Release, list_releases, open_release, show
from tasks.releases.stores import object_path
from tasks.releases.tags import list_tags, set_tag
from tasks.releases.verify import verify
from tasks.store import write_parquet

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_row_of_every_table_is_published_in_the_split_of_its_patient(published: Release, rows: Rows) -> None:
    split_of = {f"P{p:02d}": split for p, split in enumerate(("train",) * 4 + ("val", "test"))}
    for name, records in rows.items():
        table = pq.read_table(published.path / "data" / name)
        assert table.schema.names == [*dict.fromkeys([*schema_of(TABLES[name]).names, "split"])]
        assert table.num_rows == len(records) == published.tables[name]["rows"]
        if "patient_id" in table.column_names:
            for patient, split in zip(table["patient_id"].to_pylist(), table["split"].to_pylist(), strict=True):
                assert split == split_of[patient]
    tiles = pq.read_table(published.path / "data" / "tiles").to_pylist()
    of_slide = {row.slide_id: row.patient_id for row in rows["slides"]}
    assert all(row["split"] == split_of[of_slide[row["slide_id"]]] for row in tiles)
    assert {row["tile_id"]: row["image"] for row in tiles} == {row.tile_id: row.image for row in rows["tiles"]}


def test_rows_without_a_patient_stand_unsplit(published: Release) -> None:
    table = pq.read_table(published.path / "data/rejections/unsplit-00000-of-00001.parquet")
    assert table["split"].to_pylist() == [None, None]


def test_a_rejected_tile_of_a_known_slide_stands_in_its_split(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    rows["rejections"][0] = replace(rows["rejections"][0], item_id=rows["slides"][11].name)
    release = publish(build(rows), config, tmp_path / "store")
    assert release.tables["rejections"]["splits"] == {"test": 1, "unsplit": 1}


def test_images_stand_uncompressed_in_groups_of_256_rows(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    tile, field = rows["tiles"][0], rows["fields"][0]
    many = [replace(tile, tile_id=f"tile_{at:04d}") for at in range(300)]
    rows["tiles"] += many
    release = publish(build(rows), config, tmp_path / "store")
    metadata = pq.read_metadata(release.files("tiles", "train")[0])
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [256, 68]
    columns = [metadata.row_group(0).column(at) for at in range(metadata.num_columns)]
    packing = {column.path_in_schema: column.compression for column in columns}
    assert packing.pop("image") == "UNCOMPRESSED"
    assert set(packing.values()) == {"ZSTD"}
    assert field.low_tile_id == tile.tile_id


def test_files_are_objects_named_by_their_content(published: Release) -> None:
    store = published.path.parent.parent
    for table in published.tables.values():
        for entry in table["files"]:
            place, thing = published.path / entry["path"], store / "objects" / f"{entry['sha256']}.parquet"
            assert place.samefile(thing)
            assert file_sha256(place) == entry["sha256"]


def test_the_release_says_where_it_comes_from(published: Release, candidate: Candidate) -> None:
    manifest = published.manifest
    assert manifest["lineage"] == {"shards": {"tiling": ["abc"]}}
    assert manifest["config"] == {"seed": 7}
    assert manifest["parents"] == []
    assert manifest["sources"] == candidate.sources
    assert file_sha256(published.path / "lexicon.parquet") == file_sha256(Path(str(candidate.lexicon)))
    assert show(published)["tables"]["tiles"]["rows"] == 36
    assert all(show(published)["gate"].values())


def test_the_same_candidate_gives_the_same_bytes(candidate: Candidate, config: ReleaseConfig, tmp_path: Path) -> None:
    first = publish(candidate, config, tmp_path / "a", created="2026-01-01")
    second = publish(candidate, replace_workers(config, 1), tmp_path / "b", created="2026-01-01")
    left, right = everything(first.path), everything(second.path)
    assert set(left) == set(right)
    assert {name for name in left if left[name] != right[name]} <= {"manifest.json"}  # it names the number of workers
    assert first.fingerprint == second.fingerprint


def replace_workers(config: ReleaseConfig, workers: int) -> ReleaseConfig:
    return config.model_copy(update={"workers": workers})


def test_the_same_version_again_is_the_release_that_is_there(
    shared_store: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    store, release = shared_store, open_release(shared_store, "sample")
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    again = publish(candidate, config, store, created="2030-01-01")
    assert again.manifest == release.manifest
    assert before == {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}


def test_a_version_never_changes(shared_store: Path, rows: Rows, build: Build, config: ReleaseConfig) -> None:
    rows["captions"][0] = replace(rows["captions"][0], text="Glands are seen.")
    store, release = shared_store, open_release(shared_store, "sample")
    before = everything(release.path)
    with pytest.raises(VersionExistsError, match=r"sample 1\.0\.0 is there already, with other content; publish under"):
        publish(build(rows), config, store)
    assert everything(release.path) == before


def test_a_version_never_changes_its_licence(shared_store: Path, candidate: Candidate, config: ReleaseConfig) -> None:
    other = config.model_copy(update={"licence": "mit"})
    with pytest.raises(VersionExistsError, match="with another licence"):
        publish(candidate, other, shared_store)


def test_the_next_version_shares_what_did_not_change(
    shared_store: Path, rows: Rows, build: Build, config: ReleaseConfig
) -> None:
    store, release = shared_store, open_release(shared_store, "sample")
    before = set((store / "objects").iterdir())
    question = rows["questions"][0]
    rows["questions"][0] = replace(question, rationale="Glands are lined by tall cells.")
    later = publish(build(rows), config.model_copy(update={"version": "1.1.0"}), store)
    fresh = set((store / "objects").iterdir()) - before
    (entry,) = [e for e in later.tables["questions"]["files"] if e["split"] == "train"]
    assert {path.name for path in fresh} == {f"{entry['sha256']}.parquet"}
    assert later.manifest["parents"] == [{"version": "1.0.0", "fingerprint": release.fingerprint}]
    assert later.fingerprint != release.fingerprint
    assert verify(release) == verify(later) == []


@pytest.mark.parametrize(("version", "kept"), [("1.2.0", False), ("2.0.0", True), ("0.9.0", True)])
def test_a_patient_keeps_the_split_of_earlier_versions_until_the_major_number_changes(
    shared_store: Path, candidate: Candidate, config: ReleaseConfig, version: str, kept: bool
) -> None:
    moved = replace(candidate, split_of_patient={**candidate.split_of_patient, "P04": "test"})
    with pytest.raises(GateError) as refused:  # its questions too stand in another split than it
        publish(moved, config.model_copy(update={"version": version}), shared_store)
    assert ("patients_keep_their_split" not in str(refused.value)) is kept


def test_a_patient_with_a_report_alone_keeps_their_split_too(
    lean: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.parquet"
    write_parquet(to_table([Report("report_alone", "P02", ())], Report), alone)
    told = replace(lean, tables={**lean.tables, "reports": [*lean.tables["reports"], alone]})
    publish(replace(told, split_of_patient={**lean.split_of_patient, "P02": "train"}), config, tmp_path / "store")
    moved = replace(told, split_of_patient={**lean.split_of_patient, "P02": "test"})
    with pytest.raises(GateError, match="patients_keep_their_split: P02 stands in split test, in 1.0.0 in train"):
        publish(moved, config.model_copy(update={"version": "1.1.0"}), tmp_path / "store")


def test_an_earlier_version_without_its_slides_is_named_before_anything_is_published(
    shared_store: Path, candidate: Candidate, config: ReleaseConfig, published: Release
) -> None:
    older = open_release(shared_store, published.dataset, published.version)
    lost = older.tables["slides"]["files"][0]["path"]
    (older.path / lost).unlink()
    (shared_store / object_path(older.tables["slides"]["files"][0]["sha256"])).unlink()
    with pytest.raises(StoreError, match=f"{older.name} lacks {lost}"):
        publish(candidate, config.model_copy(update={"version": "1.9.0"}), shared_store)
    assert [release.version for release in list_releases(shared_store)] == [older.version]
    assert publish(candidate, config.model_copy(update={"version": "2.0.0"}), shared_store).version == "2.0.0"


def test_versions_are_listed_by_precedence_and_latest_is_the_highest(
    lean: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    for version in ("1.10.0", "1.9.0", "1.10.0-rc.1", "1.10.0-rc.10", "1.10.0-rc.2"):
        publish(lean, config.model_copy(update={"version": version}), tmp_path)
    found = [release.version for release in list_releases(tmp_path)]
    assert found == ["1.9.0", "1.10.0-rc.1", "1.10.0-rc.2", "1.10.0-rc.10", "1.10.0"]
    assert open_release(tmp_path, "sample").version == "1.10.0"
    assert open_release(tmp_path / "sample" / "1.9.0").version == "1.9.0"


def test_tags_point_to_versions_and_move_only_when_told(shared_store: Path) -> None:
    release = open_release(shared_store, "sample")
    store = release.store
    set_tag(store, "sample", "paper", "1.0.0")
    set_tag(store, "sample", "paper", "1.0.0")
    assert list_tags(store, "sample") == {"latest": "1.0.0", "paper": "1.0.0"}
    assert open_release(store, "sample", "paper").fingerprint == release.fingerprint
    store.replace("sample/tags/paper", b"0.9.0\n")
    with pytest.raises(InputError, match=r"tag 'paper' of sample points to 0\.9\.0"):
        set_tag(store, "sample", "paper", "1.0.0")
    set_tag(store, "sample", "paper", "1.0.0", move=True)
    for name in ("latest", "1.2.3", "Paper", "../x"):
        with pytest.raises(InputError, match="cannot be a tag"):
            set_tag(store, "sample", name, "1.0.0")
    with pytest.raises(InputError, match=r"sample has no version 2\.0\.0"):
        set_tag(store, "sample", "next", "2.0.0")


def test_what_is_not_there_is_said_in_one_line(published: Release, tmp_path: Path) -> None:
    store = published.path.parent.parent
    with pytest.raises(InputError, match=r"sample has no version or tag 'paper'; its versions: 1\.0\.0"):
        open_release(store, "sample", "paper")
    with pytest.raises(InputError, match=r"sample 3\.0\.0 is not a release"):
        open_release(store, "sample", "3.0.0")
    with pytest.raises(InputError, match="folder nowhere is not a release"):
        open_release(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no table 'pictures'; it has captions, fields"):
        published.files("pictures")


def test_the_card_has_the_header_that_the_hub_reads(published: Release) -> None:
    text = (published.path / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    about = yaml.safe_load(header)
    assert about["license"] == "cc0-1.0"
    assert about["size_categories"] == ["n<1K"]
    configs = {entry["config_name"]: entry for entry in about["configs"]}
    assert set(configs) == set(TABLES)
    assert configs["questions"]["default"] is True
    assert [entry["split"] for entry in configs["tiles"]["data_files"]] == ["train", "val", "test"]
    for line in (
        "| `tiles` | 24 | 6 | 6 | 0 | 36 | 3 |",
        "| starter graph | 1 | CC-BY-4.0 | `ffffffffffffffff` |",
        "| forest | correspondence/pattern/rules | 0.500 | 0.450 to 0.540 | 12 | pass |",
        "## Intended use",
        "## Known limits",
    ):
        assert line in body
    for picture in ("composition", "leakage", "funnel"):
        assert f"](plots/{picture}.png)" in body
        assert (published.path / f"plots/{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_without_rows_is_a_file_without_rows(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    rows["review_events"], rows["reasoning"] = [], []
    release = publish(build(rows), config, tmp_path / "store")
    table = pq.read_table(release.path / "data/reasoning")
    assert (table.num_rows, table.column_names[0]) == (0, "sample_id")
    assert verify(release) == []


def test_nothing_of_the_machine_stands_in_a_release(published: Release, tmp_path: Path) -> None:
    for name, data in everything(published.path).items():
        assert str(tmp_path).encode() not in data, name


def test_names_of_the_store_s_own_folders_and_odd_versions_are_refused() -> None:
    for wrong in (
        {"dataset": "objects"},
        {"dataset": "Über"},
        {"version": "1.0"},
        {"version": "v1.0.0"},
        {"version": "01.0.0"},
    ):
        with pytest.raises(ValueError, match="dataset|version"):
            ReleaseConfig.model_validate(wrong)


def test_the_manifest_is_json_that_any_program_reads(published: Release) -> None:
    content = json.loads((published.path / "manifest.json").read_text())
    assert content["format"] == "slidesmith-release/1"
    assert {entry["path"] for entry in content["documents"]} >= {"README.md", "croissant.json", "lexicon.parquet"}
