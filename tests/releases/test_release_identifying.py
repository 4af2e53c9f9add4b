"""Identifying text: what is found, what is left alone, and what publishing does about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import GateError
from schemas.records import Section
from tasks.releases.candidate import Candidate
from tasks.releases.config import GateBounds, ReleaseConfig
from tasks.releases.identifying import identifiers, mask
from tasks.releases.publish import publish

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


@pytest.mark.parametrize(
    ("text", "kind", "surface"),
    [
        ("Received on 2023-04-17 in formalin.", "date", "2023-04-17"),
        ("Received 17.04.2023.", "date", "17.04.2023"),
        ("Biopsy of 4/17/23 shows", "date", "4/17/23"),
        ("on April 17, 2023 the", "date", "April 17, 2023"),
        ("the 17th of April 2023", "date", "17th of April 2023"),
        ("in Sept. 2021", "date", "Sept. 2021"),
        ("Specimen S23-10482 consists", "number of a case", "S23-10482"),
        ("Specimen SP-23-10482", "number of a case", "SP-23-10482"),
        ("Accession number: A1029384.", "number of a case", "Accession number: A1029384"),
        ("MRN: 00482913", "number of a case", "MRN: 00482913"),
        ("SSN 078-05-1120", "social security number", "078-05-1120"),
        ("seen by Dr. Maria Lopez today", "name", "Dr. Maria Lopez"),
        ("Patient: Smith, John", "name", "Patient: Smith, John"),
        ("Electronically signed by: Jane Q. Doe", "name", "Electronically signed by: Jane Q. Doe"),
        ("Reviewed. Jane Doe, M.D.", "name", "Jane Doe, M.D."),
        ("call (555) 010-4477", "telephone number", "(555) 010-4477"),
        ("write to lab@clinic.example.org", "address", "lab@clinic.example.org"),
        ("of 12 Baker Street", "address", "12 Baker Street"),
        ("A 93-year-old woman", "age over 89", "93-year-old"),
    ],
)
def test_identifying_text_is_found_with_its_kind(text: str, kind: str, surface: str) -> None:
    assert [(span.kind, text[span.start : span.end]) for span in identifiers(text)] == [(kind, surface)]


@pytest.mark.parametrize(
    "text",
    [
        "Two of 12 lymph nodes (2/12) are involved; tumour 1.2 x 0.8 x 0.5 cm.",
        "Ki-67 index 20-30%, CD20-positive, HER2 2+, p16 positive, CK7/CK20 negative.",
        "pT2 pN1a (8th edition 2017), Gleason 3+4=7, FNCLCC grade 2, ICD-O 8140/3.",
        "A 63-year-old man with a 4-5 mm polyp; blocks A1-A12; levels 1, 2 and 3.",
        "The patient has adenocarcinoma. Margins: negative. Diagnosis: Invasive Ductal Carcinoma.",
        "May show necrosis. March of nuclei along the membrane.",
        "Ratio 10/20/30 of three components is not stated; see SSG:glandular_architecture.",
    ],
)
def test_pathology_is_left_alone(text: str) -> None:
    found = [text[span.start : span.end] for span in identifiers(text)]
    assert found in ([], ["10/20/30"])  # three numbers with slashes can be a date


@given(st.text(alphabet="Dr. JaneSmith2023-04/17,:MRN#\n", max_size=60))
def test_masking_keeps_the_length_and_leaves_nothing_to_find(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    for span in identifiers(masked):  # what is left was hidden behind what is masked now
        assert "#" not in masked[span.start : span.end] or mask(masked) != masked


def named(rows: Rows) -> str:
    """Put a name and a date into a report; return the report's id."""
    report = rows["reports"][0]
    told = Section("clinical history", "Seen by Dr. Maria Lopez on 2023-04-17. Glandular architecture.")
    rows["reports"][0] = replace(report, sections=(told, *report.sections))
    return str(report.report_id)


def test_a_report_that_names_somebody_is_refused_and_the_message_does_not_repeat_the_name(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    report_id = named(rows)
    with pytest.raises(GateError, match="texts_identify_nobody") as refused:
        publish(build(rows), config, tmp_path / "store")
    assert f"{report_id} holds a date at characters 27 to 37 of its clinical history" in str(refused.value)
    (page,) = (tmp_path / "store").rglob("report.html")
    assert "Lopez" not in page.read_text() + str(refused.value)


def test_where_told_to_reports_are_masked_and_their_spans_stay(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    named(rows)
    masking = config.model_copy(update={"gate": GateBounds(identifying_text="mask")})
    release = publish(build(rows), masking, tmp_path / "store")
    texts = [s["text"] for row in pq.read_table(release.path / "data/reports").to_pylist() for s in row["sections"]]
    assert "Seen by ##. ##### ##### on ####-##-##. Glandular architecture." in texts
    everything = b"".join(path.read_bytes() for path in release.path.rglob("*") if path.is_file())
    assert b"Lopez" not in everything


def test_where_told_not_to_look_the_gate_does_not(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    named(rows)
    blind = config.model_copy(update={"gate": GateBounds(identifying_text="off")})
    assert publish(build(rows), blind, tmp_path / "store").version == "1.0.0"
