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
from schemas.identifying import identifiers, mask
from schemas.ids import canonical_json
from schemas.records import Section
from tasks.releases.candidate import Candidate
from tasks.releases.config import GateBounds, ReleaseConfig
from tasks.releases.database import open_database
from tasks.releases.masking import register_identifying
from tasks.releases.publish import publish
from tests.releases.sample_run import write_candidate

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]
TITLE = "addendum of 2023-04-17"


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


PIECES = (
    *(
        "Dr. ",
        "Jane ",
        "Q. ",
        "Smith",
        "Doe, ",
        ", M.D.",
        "signed by: ",
        "Patient: ",
        "MRN: ",
        "case no. ",
        "#",
        "\n",
        " ",
    ),
    *("2023-04-17", "4/17/23", "S23-10482", "078-05-1120", "555 010 4477", "a@b.org", "12 Baker Street", "93-year-old"),
    *("#", "\n", " "),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_masking_hides_letters_and_digits_alone_and_leaves_nothing_to_find(text: str) -> None:
    masked = mask(text)
    assert identifiers(masked) == []
    assert all(new == old or (new == "#" and old.isalnum()) for old, new in zip(text, masked, strict=True))
    first = identifiers(text)[:1]
    assert not first or not any(c.isalnum() for c in masked[first[0].start : first[0].end])


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


@pytest.mark.parametrize(
    ("table", "told", "part"),
    [
        ("questions", lambda row, said: replace(row, options=(*row.options, said)), "options"),
        ("reasoning", lambda row, said: replace(row, think=(replace(row.think[0], text=said),)), "steps"),
        ("rejections", lambda row, said: replace(row, detail=said), "rejection"),
        ("review_events", lambda row, said: replace(row, payload=canonical_json({"reason": said})), "review"),
        ("reports", lambda row, said: replace(row, sections=(Section(said, ""),)), "section titles"),
    ],
)
def test_no_published_text_goes_unread(rows: Rows, tmp_path: Path, table: str, told: Any, part: str) -> None:
    said = "see the note of\nDr. Maria Lopez"
    rows = {name: [told(rows[table][0], said)] if name == table else [] for name in rows}
    with open_database(write_candidate(tmp_path / "shards", rows), tmp_path) as connection:
        register_identifying(connection, look=True)
        found = connection.execute("SELECT part, kind, first, last FROM identifying").fetchall()
    assert found == [(part, "name", said.index("Dr."), len(said))]


def test_where_told_to_reports_are_masked_and_their_spans_stay(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    named(rows)
    mention = next(row for row in rows["mentions"] if row.section)
    rows["mentions"][rows["mentions"].index(mention)] = replace(mention, section=TITLE)
    report = rows["reports"][0]
    rows["reports"][0] = replace(report, sections=(*report.sections, Section(TITLE, "Glands.")))
    masking = config.model_copy(update={"gate": GateBounds(identifying_text="mask")})
    release = publish(build(rows), masking, tmp_path / "store")
    sections = [s for row in pq.read_table(release.path / "data/reports").to_pylist() for s in row["sections"]]
    assert "Seen by ##. ##### ##### on ####-##-##. Glandular architecture." in [s["text"] for s in sections]
    assert "addendum of ####-##-##" in [s["title"] for s in sections]
    mentions = pq.read_table(release.path / "data/mentions", columns=["section"])["section"].to_pylist()
    assert (mentions.count("addendum of ####-##-##"), mentions.count(TITLE)) == (1, 0)
    everything = b"".join(path.read_bytes() for path in release.path.rglob("*") if path.is_file())
    assert b"Lopez" not in everything


def test_where_told_not_to_look_the_gate_does_not(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    named(rows)
    blind = config.model_copy(update={"gate": GateBounds(identifying_text="off")})
    assert publish(build(rows), blind, tmp_path / "store").version == "1.0.0"
