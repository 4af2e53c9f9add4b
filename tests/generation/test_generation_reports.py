"""Report files become reports, and what they say becomes mentions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.link import Linker
from schemas.errors import FileFormatError
from schemas.ids import canonical_json
from schemas.records import Report, Section
from tasks.generation.report_files import split_sections
from tasks.generation.reports import link_reports, read_reports

TEXT = """Accession 12
CLINICAL HISTORY: Mass in the left breast.

Microscopic description:
Sheets of cells with prominent nucleoli.
No necrosis.

DIAGNOSIS
Medullary carcinoma of the breast.
"""


def test_a_headed_text_is_split_at_its_headings() -> None:
    titles = [(section.title, section.text) for section in split_sections(TEXT)]
    assert titles == [
        ("report", "Accession 12"),
        ("clinical history", "Mass in the left breast."),
        ("microscopic description", "Sheets of cells with prominent nucleoli.\nNo necrosis."),
        ("diagnosis", "Medullary carcinoma of the breast."),
    ]


@pytest.mark.parametrize("path", ["../secret.txt", "link.txt", "{outside}"])
def test_a_report_outside_the_folder_is_not_read(tmp_path: Path, path: str) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text(TEXT)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.txt").symlink_to(outside)
    reports, (rejected,) = read_reports({path.format(outside=outside): "P1"}, inside)
    assert reports == []
    assert rejected.reason == "missing_file"


@given(st.text("aB .:\n<>/", max_size=80))
def test_splitting_never_loses_a_letter_of_an_untitled_text(text: str) -> None:
    letters = "".join(character for character in text if character in "aB")
    kept = "".join(c for section in split_sections(text) for c in section.text if c in "aB")
    assert kept == letters


def test_tagged_text_gives_findings_reasoning_and_diagnosis() -> None:
    text = (
        "<info>\nHistopathological Findings:\nA.\n</info>\n<think>\nB.\n</think>\n<answer>\nDiagnosis:\nC.\n</answer>"
    )
    expected = (Section("findings", "A."), Section("reasoning", "B."), Section("diagnosis", "C."))
    assert split_sections(text) == expected


def _read(folder: Path, name: str, content: str, patient: str = "p1") -> tuple[list[Report], list[tuple[str, str]]]:
    (folder / name).write_text(content, encoding="utf-8")
    reports, rejections = read_reports({name: patient}, folder)
    return reports, [(row.item_id, row.reason) for row in rejections]


ROWS = [
    {"id": "r1", "patient_id": "p9", "text": "Diagnosis: carcinoma\u2028of the breast."},
    {"id": "r2", "sections": {"Microscopic": "Glands.", "Empty": ""}},
    {"id": "r3", "text": " "},
]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_files_hold_several_reports_and_name_their_patients(tmp_path: Path, name: str) -> None:
    content = json.dumps(ROWS) if name == "a.json" else "".join(canonical_json(row) + "\n" for row in ROWS)
    reports, rejected = _read(tmp_path, name, content)
    assert [report.patient_id for report in reports] == ["p9", "p1"]
    assert reports[1].sections == (Section("microscopic", "Glands."),)
    assert rejected == [("r3", "empty_report")]


def test_csv_files_hold_one_report_a_line(tmp_path: Path) -> None:
    reports, rejected = _read(tmp_path, "a.csv", 'id,patient_id,text\nr1,p9,"Diagnosis: a,\nb"\nr2,,\n')
    assert reports[0].sections == (Section("diagnosis", "a,\nb"),)
    assert rejected == [("r2", "empty_report")]


def test_reports_without_patient_missing_files_and_foreign_encodings_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00bad")
    (tmp_path / "c.txt").write_text("Diagnosis: x")
    (tmp_path / "d.json").write_text("[]")
    _, rejections = read_reports({"a.txt": "p", "b.txt": "p", "c.txt": "", "d.json": "p"}, tmp_path)
    assert [row.reason for row in rejections] == ["missing_file", "unreadable", "unknown_patient", "empty_report"]


def test_the_same_report_twice_is_kept_once_and_counted_once(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Diagnosis: x")
    reports, rejections = read_reports({"a.txt": "p", "b.txt": "p"}, tmp_path)
    assert len(reports) == 1
    assert [row.reason for row in rejections] == ["near_duplicate"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "a.json: not JSON"),
        ("a.jsonl", '{"text": "x"}\n{', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", "3", "a.jsonl, line 1: a report must be an object"),
        ("a.json", '[{"id": "r"}]', "a.json, item 0: no `text`"),
        ("a.csv", "id,body\n1,x\n", "a.csv: no column `text`"),
        ("a.pdf", "x", "a.pdf: unknown kind"),
        ("a.json", '[{"sections": [{"title": "x"}]}]', "a.json, item 0: a section lacks"),
    ],
)
def test_a_malformed_file_is_one_error_that_names_the_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(FileFormatError, match=said):
        _read(tmp_path, name, content)


def test_no_folder_of_this_machine_stands_in_a_rejection(tmp_path: Path) -> None:
    _, rejections = read_reports({"a.txt": "p"}, tmp_path)
    assert str(tmp_path) not in repr(rejections)


def test_linked_mentions_point_into_their_section_and_keep_the_status(linker: Linker) -> None:
    sections = (
        Section("microscopic", "Prominent nucleoli. No geographic necrosis."),
        Section("diagnosis", "Carcinoma."),
    )
    report = Report("report_1", "p1", sections)
    mentions = link_reports([report], linker)
    status = {mention.concept_id: mention.status for mention in mentions}
    assert status["SSG:prominent_nucleoli"] == "present"
    assert status["SSG:geographic_necrosis"] == "absent"
    text = {section.title: section.text for section in sections}
    assert all(text[m.section or ""][m.start : m.end] == m.surface for m in mentions)
    assert len({mention.mention_id for mention in mentions}) == len(mentions)


@pytest.mark.slide
def test_the_published_pathreasoner_samples_are_read_with_three_sections_each(shared: Path, linker: Linker) -> None:
    reports, rejections = read_reports({"text/pathreasoner_diagnosis_example.json": "p"}, shared)
    assert len(reports) == 11
    assert not rejections
    assert all([s.title for s in r.sections] == ["findings", "reasoning", "diagnosis"] for r in reports)
    assert all(not s.text.startswith(("Histopathological", "Final Diagnosis:")) for r in reports for s in r.sections)
    assert len({m.concept_id for m in link_reports(reports, linker)}) >= 30
