from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InputError
from tasks.tiling.manifest import read_sources

COLUMNS = "path,patient_id,organ,stain,licence,report,annotations"


def _manifest(folder: Path, *rows: str, columns: str = COLUMNS) -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


def _slide(folder: Path, name: str, content: bytes = b"pixels") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_folder_without_manifest_gives_every_slide_in_name_order(tmp_path: Path) -> None:
    _slide(tmp_path, "b.svs", b"b")
    _slide(tmp_path, "a.tiff", b"a")
    _slide(tmp_path, "notes.txt")
    sources, rejections = read_sources(tmp_path)
    assert [(source.uri, source.patient_id, source.organ) for source in sources] == [
        ("a.tiff", "a", None),
        ("b.svs", "b", None),
    ]
    assert rejections == []


def test_one_file_is_a_source(tmp_path: Path) -> None:
    path = _slide(tmp_path, "only.svs")
    _slide(tmp_path, "other.svs", b"other")
    sources, _ = read_sources(path)
    assert [source.path for source in sources] == [path.resolve()]


def test_a_manifest_says_what_each_slide_is(tmp_path: Path) -> None:
    _slide(tmp_path, "slides/s1.svs")
    _slide(tmp_path, "s1.geojson", b"{}")
    manifest = _manifest(
        tmp_path, "slides/s1.svs,P1,colon,H&E,CC0,reports/p1.txt,s1.geojson,0.25", columns=COLUMNS + ",mpp"
    )
    (source,), rejections = read_sources(tmp_path / "slides", manifest=manifest)
    assert rejections == []
    assert (source.uri, source.patient_id, source.organ, source.licence) == ("slides/s1.svs", "P1", "colon", "CC0")
    assert (source.report, source.annotations, source.mpp) == ("reports/p1.txt", "s1.geojson", 0.25)
    assert source.root == tmp_path.resolve()
    assert source.annotations_sha256 is not None


def test_paths_are_also_looked_for_in_the_folder_of_slides(tmp_path: Path) -> None:
    _slide(tmp_path, "elsewhere/s1.svs")
    manifest = _manifest(tmp_path, "s1.svs,P1", columns="path,patient_id")
    (source,), _ = read_sources(tmp_path / "elsewhere", manifest=manifest)
    assert source.path == (tmp_path / "elsewhere/s1.svs").resolve()


@pytest.mark.parametrize("beside", ["manifest", "slides"])
def test_annotations_are_looked_for_where_slides_are(tmp_path: Path, beside: str) -> None:
    _slide(tmp_path, "slides/s1.svs")
    _slide(tmp_path, f"{beside}/regions/s1.geojson", b"[]")
    (tmp_path / "manifest").mkdir(exist_ok=True)
    rows = _manifest(tmp_path / "manifest", "s1.svs,P1,regions/s1.geojson", columns="path,patient_id,annotations")
    (source,), rejections = read_sources(tmp_path / "slides", manifest=rows)
    assert (source.root, rejections) == ((tmp_path / beside).resolve(), [])
    assert source.annotations_sha256 is not None


def test_one_file_selects_its_row(tmp_path: Path) -> None:
    path = _slide(tmp_path, "s2.svs", b"2")
    _slide(tmp_path, "s1.svs", b"1")
    manifest = _manifest(tmp_path, "s1.svs,P1", "s2.svs,P2", columns="path,patient_id")
    (source,), rejections = read_sources(path, manifest=manifest)
    assert (source.patient_id, rejections) == ("P2", [])


def test_files_that_cannot_be_slides_are_rejected_and_the_others_kept(tmp_path: Path) -> None:
    _slide(tmp_path, "good.svs")
    _slide(tmp_path, "empty.svs", b"")
    (tmp_path / "folder.svs").mkdir()
    (tmp_path / "loop.svs").symlink_to("loop.svs")
    names = ["good.svs", "empty.svs", "folder.svs", "loop.svs", "gone.svs"]
    manifest = _manifest(tmp_path, *(f"{name},P1" for name in names), columns="path,patient_id")
    sources, rejections = read_sources(tmp_path, manifest=manifest)
    assert [source.uri for source in sources] == ["good.svs"]
    assert {row.item_id: row.reason for row in rejections} == {
        "empty.svs": "unreadable",
        "folder.svs": "not_a_slide",
        "loop.svs": "missing_file",
        "gone.svs": "missing_file",
    }
    assert all(str(tmp_path) not in row.detail and row.stage == "slides" for row in rejections)


def test_a_loop_of_links_in_a_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.svs").symlink_to("b.svs")
    (tmp_path / "b.svs").symlink_to("a.svs")
    sources, rejections = read_sources(tmp_path)
    assert sources == []
    assert [row.reason for row in rejections] == ["missing_file", "missing_file"]


@pytest.mark.parametrize("path", ["../outside.svs", "link.svs", "{outside}"])
def test_a_path_that_leads_out_of_the_folder_is_rejected(tmp_path: Path, path: str) -> None:
    outside = _slide(tmp_path, "outside.svs")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.svs").symlink_to(outside)
    manifest = _manifest(inside, f"{path.format(outside=outside)},P1", columns="path,patient_id")
    sources, rejections = read_sources(inside, manifest=manifest)
    assert sources == []
    assert [row.reason for row in rejections] == ["missing_file"]


def test_annotations_that_lead_out_of_the_folder_reject_the_slide(tmp_path: Path) -> None:
    _slide(tmp_path, "secret.geojson", b"{}")
    _slide(tmp_path, "inside/s1.svs")
    manifest = _manifest(tmp_path / "inside", "s1.svs,P1,../secret.geojson", columns="path,patient_id,annotations")
    sources, (rejected,) = read_sources(tmp_path / "inside", manifest=manifest)
    assert sources == []
    assert rejected.detail.endswith(
        "has annotations in ../secret.geojson, which leads outside the folder of the manifest"
    )


@pytest.mark.parametrize(
    "url",
    [
        "file://{outside}",
        "local://{outside}",
        "FILE://{outside}",
        "simplecache::file://{outside}",
        "zip://a.svs::{outside}",
        "generic://file://{outside}",
        "a://../outside.svs",
    ],
)
def test_a_url_to_a_file_of_this_machine_is_rejected(tmp_path: Path, url: str) -> None:
    outside = _slide(tmp_path, "outside.svs")
    (tmp_path / "inside").mkdir()
    manifest = _manifest(tmp_path / "inside", f"{url.format(outside=outside)},P1", columns="path,patient_id")
    sources, (rejected,) = read_sources(tmp_path / "inside", manifest=manifest)
    assert sources == []
    assert rejected.reason == "missing_file"
    assert "leads outside the folder of the manifest" in rejected.detail


def test_a_folder_may_hold_links_to_slides_elsewhere(tmp_path: Path) -> None:
    outside = _slide(tmp_path, "archive/0001.svs")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/case.svs").symlink_to(outside)
    (source,), _ = read_sources(tmp_path / "links")
    assert (source.uri, source.name, source.path) == ("case.svs", "case.svs", outside.resolve())


def test_the_same_content_under_two_names_is_kept_once(tmp_path: Path) -> None:
    _slide(tmp_path, "a.svs", b"same")
    _slide(tmp_path, "b.svs", b"same")
    sources, rejections = read_sources(tmp_path)
    assert [source.uri for source in sources] == ["a.svs"]
    assert [(row.item_id, row.reason) for row in rejections] == [("b.svs", "duplicate_image")]


def test_a_slide_of_several_files_is_hashed_as_one(tmp_path: Path) -> None:
    _slide(tmp_path, "s.mrxs", b"index")
    _slide(tmp_path, "s/Data0001.dat", b"one")
    (first,), _ = read_sources(tmp_path / "s.mrxs")
    _slide(tmp_path, "s/Data0001.dat", b"two")
    (second,), _ = read_sources(tmp_path / "s.mrxs")
    assert first.sha256 != second.sha256
    assert second.size_bytes == len(b"index") + len(b"two")


def test_the_files_of_a_dicom_folder_are_one_slide(tmp_path: Path) -> None:
    for number in range(3):
        _slide(tmp_path, f"level{number}.dcm", bytes([number]))
    (source,), _ = read_sources(tmp_path)
    assert (source.uri, source.size_bytes) == ("level0.dcm", 3)


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (["s.svs"], "path", "lacks column patient_id"),
        (["s.svs,P1,x"], "path,patient_id,license", "unknown column license"),
        ([], "path,patient_id", "lists no slide"),
        (["s.svs,"], "path,patient_id", "line 2: patient_id is empty"),
        (["s.svs,P1,fast"], "path,patient_id,mpp", "line 2: mpp fast"),
        (["s.svs,P1,40"], "path,patient_id,mpp", "line 2: mpp 40"),
    ],
)
def test_a_malformed_manifest_is_one_clear_error(tmp_path: Path, rows: list[str], columns: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_sources(tmp_path, manifest=_manifest(tmp_path, *rows, columns=columns))
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_a_missing_folder_manifest_or_slide_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder or slide gone"):
        read_sources(tmp_path / "gone")
    with pytest.raises(InputError, match="no slide in folder"):
        read_sources(tmp_path)
    with pytest.raises(InputError, match="no manifest"):
        read_sources(tmp_path, manifest=tmp_path / "manifest.csv")


def test_a_manifest_that_is_no_text_is_one_clear_error(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(InputError, match="not a CSV file in UTF-8"):
        read_sources(tmp_path, manifest=manifest)
