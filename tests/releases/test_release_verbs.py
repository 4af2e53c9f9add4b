"""The verbs of `slidesmith release` as a user calls them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import Release, open_release


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    main(["release", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["release", *arguments])
    return capsys.readouterr().out


@pytest.fixture
def place(shared_store: Path) -> tuple[str, ...]:
    return ("--store", str(shared_store), "--dataset", "sample")


def test_show_leads_from_a_question_to_the_bytes_of_its_slide(
    place: tuple[str, ...], rows: dict[str, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    question = rows["questions"][0]
    found = asked(capsys, "show", "--item", question.question_id, *place)
    (slide,) = [row for row in found["from"] if row["table"] == "slides"]
    assert slide["sha256"] == rows["slides"][0].sha256
    assert {verdict["reader"] for verdict in found["decisions"]["verdicts"]} == {"boosting", "forest"}
    text = told(capsys, "show", "--item", question.question_id, *place)
    assert rows["slides"][0].sha256 in text
    assert question.provenance.prompt_sha256 in text
    assert "open by system" in text


def test_diff_tells_what_a_new_version_changed(
    place: tuple[str, ...],
    shared_store: Path,
    rows: dict[str, list[Any]],
    build: Any,
    config: ReleaseConfig,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows["captions"][0] = replace(rows["captions"][0], text="Glands are seen.")
    publish(build(rows), config.model_copy(update={"version": "1.1.0"}), shared_store)
    changes = asked(capsys, "diff", "1.0.0", "1.1.0", *place)
    assert changes["tables"]["captions"]["changed"] == 1
    assert "captions: 0 added, 0 removed, 1 changed" in told(capsys, "diff", "1.0.0", "latest", *place)


def test_a_tag_names_a_version_and_is_moved_only_when_told(
    place: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(capsys, "tag", "paper", "1.0.0", *place)["tags"] == {"latest": "1.0.0", "paper": "1.0.0"}
    assert asked(capsys, "show", "--version", "paper", *place)["version"] == "1.0.0"
    with pytest.raises(SystemExit):
        main(["release", "tag", "paper", "3.0.0", *place])
    assert "has no version 3.0.0" in capsys.readouterr().err


def test_pull_and_export_leave_a_whole_release(
    place: tuple[str, ...], published: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(capsys, "pull", "--to", str(tmp_path / "pulled"), *place)
    assert open_release(tmp_path / "pulled").fingerprint == published.fingerprint
    asked(capsys, "export", "--hf", str(tmp_path / "hub"), *place)
    assert (tmp_path / "hub" / "README.md").is_file()
    assert not (tmp_path / "hub" / "manifest.json").exists()


@pytest.mark.filterwarnings("ignore")  # of the libraries that pyiceberg stands on
def test_export_registers_the_release_in_an_iceberg_catalog(
    place: tuple[str, ...], published: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyiceberg.catalog.sql")
    where = ("--iceberg", f"sqlite:///{tmp_path}/catalog.db", "--warehouse", str(tmp_path / "warehouse"))
    assert set(asked(capsys, "export", *where, *place)["iceberg"]) == set(published.tables)


def test_a_patient_who_withdraws_is_gone_and_the_old_versions_are_named(
    place: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    made = asked(capsys, "retract", "--patient", "P01", *place)
    assert (made["successor"], made["affected"]) == ("1.0.1", ["1.0.0"])
    assert [row["version"] for row in asked(capsys, "list", *place[:2])["releases"]] == ["1.0.0", "1.0.1"]
    assert asked(capsys, "delete", "--version", "1.0.0", *place)["deleted"] == "sample 1.0.0"
    assert [row["version"] for row in asked(capsys, "list", *place[:2])["releases"]] == ["1.0.1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list", "--store", "nowhere"), "there is no store at nowhere"),
        (("show", "--version", "7.0.0"), "7.0.0"),
        (("show", "--item", "mcq_none"), "has no item 'mcq_none'"),
        (("export",), "nothing to export to"),
        (("export", "--iceberg", "nonsense", "--warehouse", "w"), "address of the Iceberg catalog"),
        (("tag", "paper"), "points to no version"),
        (("retract", "--patient", "nobody"), "holds no patient 'nobody'"),
        (("delete", "--version", "latest"), "has no version 'latest'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...],
    says: str,
    place: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["release", *arguments, *(() if "--store" in arguments else place)])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
