"""The gate refuses, each with a message that names the row and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import FileFormatError, GateError, InputError
from schemas.ids import content_id
from schemas.records import Rejection
from tasks.releases.candidate import Candidate
from tasks.releases.config import GateBounds, ReleaseConfig
from tasks.releases.gate import GateReport, run_gate
from tasks.releases.publish import publish
from tasks.releases.quarantine import report_page

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def failures(report: GateReport) -> dict[str, str]:
    return {check.name: check.detail for check in report.failures}


def test_a_sound_candidate_passes_every_check(candidate: Candidate) -> None:
    report = run_gate(candidate)
    assert failures(report) == {}
    assert report.rows["tiles"] == 36
    assert {check.detail for check in report.checks} == {"holds"}


def test_a_question_of_another_split_than_its_patient_is_refused(rows: Rows, build: Build) -> None:
    rows["questions"][0] = replace(rows["questions"][0], split="test")
    found = failures(run_gate(build(rows)))
    question = rows["questions"][0].question_id
    expected = f"P00 question {question} of split test belongs to a patient of split train"
    assert found["patients_in_one_split"] == expected


def test_a_patient_under_two_spellings_in_two_splits_is_refused(candidate: Candidate) -> None:
    splits = {**candidate.split_of_patient, " p00": "test"}
    found = failures(run_gate(replace(candidate, split_of_patient=splits)))
    assert found == {"patients_in_one_split": " p00 stands in splits test and train as  p00 and P00"}


def test_a_slide_whose_bytes_stand_in_two_splits_is_refused(rows: Rows, build: Build) -> None:
    rows["slides"][10] = replace(rows["slides"][10], sha256=rows["slides"][0].sha256)
    found = failures(run_gate(build(rows)))
    assert set(found) == {"slides_in_one_split"}
    assert "stand in splits test and train" in found["slides_in_one_split"]


def test_the_same_image_in_two_splits_is_refused(rows: Rows, build: Build) -> None:
    rows["tiles"][30] = replace(rows["tiles"][30], image=rows["tiles"][0].image)
    found = failures(run_gate(build(rows)))
    assert set(found) == {"images_in_one_split", "no_near_duplicates_across_splits"}
    first, second = sorted((rows["tiles"][0].tile_id, rows["tiles"][30].tile_id))
    assert found["images_in_one_split"] == f"{first} the same image as {second} stands in splits test and train"


def test_a_patient_without_a_split_is_refused(candidate: Candidate) -> None:
    splits = {patient: split for patient, split in candidate.split_of_patient.items() if patient != "P02"}
    found = failures(run_gate(replace(candidate, split_of_patient=splits)))
    assert found["patients_have_a_split"] == "P02 has no split"


def test_a_row_that_names_another_patient_than_its_field_is_refused(rows: Rows, build: Build) -> None:
    rows["captions"][0] = replace(rows["captions"][0], patient_id="P01")
    found = failures(run_gate(build(rows)))
    assert found["patients_agree"] == f"{rows['captions'][0].caption_id} names patient P01, its field P00"


def test_a_caption_of_the_wrong_split_is_refused_twice(rows: Rows, build: Build) -> None:
    rows["captions"][0] = replace(rows["captions"][0], patient_id="P05")
    found = failures(run_gate(build(rows)))
    assert set(found) == {"patients_agree", "fields_in_one_split"}
    assert found["fields_in_one_split"].endswith("stands in split test, its field in train")


def test_a_dangling_key_is_refused(rows: Rows, build: Build) -> None:
    lost = rows["captions"].pop(0)
    rows["mentions"] = [row for row in rows["mentions"] if row.text_id != lost.caption_id]
    found = failures(run_gate(build(rows)))
    assert found == {
        "references_resolve": f"{rows['perturbations'][0].perturbation_id} (perturbations) refers by caption_id to "
        f"{lost.caption_id}, which is not in captions"
    }


def test_a_verdict_on_a_rejected_question_dangles_not(rows: Rows, build: Build) -> None:
    lost = [rows["questions"].pop(0), rows["questions"].pop(0)]
    rows["rejections"] += [Rejection(row.question_id, "screening", "leaks", "cell dropped") for row in lost]
    candidate = build(rows)
    counts = [
        *candidate.stage_counts,
        {"stage": "screening", "items_in": 12, "items_out": 10, "rejected": {"leaks": 2}},
    ]
    assert failures(run_gate(replace(candidate, stage_counts=counts))) == {}


def test_a_report_of_an_unknown_slide_dangles_unless_it_was_rejected(rows: Rows, build: Build) -> None:
    rows["reports"][0] = replace(rows["reports"][0], slide_id="old.svs")
    assert failures(run_gate(build(rows)))["references_resolve"].endswith("old.svs, which is not in slides")
    row = Rejection("old.svs", "generation", "unknown_place", f"{rows['reports'][0].report_id} names this")
    rows["rejections"] += [row]
    candidate = build(rows)
    counts = {"stage": "questions", "items_in": 13, "items_out": 12, "rejected": {"unknown_place": 1}}
    assert failures(run_gate(replace(candidate, stage_counts=[*candidate.stage_counts, counts]))) == {}


def test_a_key_that_stands_twice_is_refused(rows: Rows, build: Build) -> None:
    rows["captions"].append(replace(rows["captions"][0], text="Another text."))
    found = failures(run_gate(build(rows)))
    assert found["keys_are_unique"] == f"{rows['captions'][0].caption_id} stands 2 times in captions"


def test_an_undecodable_image_is_refused(rows: Rows, build: Build) -> None:
    rows["tiles"][3] = replace(rows["tiles"][3], image=b"\xff\xd8 not a picture")
    found = failures(run_gate(build(rows)))
    assert found["images_decode"].startswith(f"{rows['tiles'][3].tile_id} cannot be decoded")


def test_a_truncated_image_is_refused(rows: Rows, build: Build) -> None:
    image = rows["tiles"][3].image
    rows["tiles"][3] = replace(rows["tiles"][3], image=image[: len(image) * 2 // 3])
    found = failures(run_gate(build(rows)))
    assert found["images_decode"].startswith(f"{rows['tiles'][3].tile_id} cannot be decoded")


def test_an_image_of_another_size_than_recorded_is_refused(rows: Rows, build: Build) -> None:
    rows["tiles"][3] = replace(rows["tiles"][3], width_px=128)
    found = failures(run_gate(build(rows)))
    assert found == {"images_decode": f"{rows['tiles'][3].tile_id} is 64 x 64 px, recorded as 128 x 64"}


def test_a_failed_certifier_is_refused(candidate: Candidate) -> None:
    leaks = [dict(row) for row in candidate.leak_table]
    leaks[1] |= {"accuracy": 0.71, "low": 0.62, "high": 0.8, "verdict": "fail"}
    found = failures(run_gate(replace(candidate, leak_table=leaks)))
    said = 'forest on correspondence/pattern/rules has verdict "fail": accuracy 0.71 [0.62, 0.8], n = 12'
    assert found == {"certifier_passed": said}


def test_a_failed_cell_that_was_dropped_does_not_stop_the_rest(candidate: Candidate) -> None:
    dropped = {**candidate.leak_table[1], "cell": "diagnosis/dropped/rules", "verdict": "fail"}
    assert failures(run_gate(replace(candidate, leak_table=[*candidate.leak_table, dropped]))) == {}


def test_cells_too_small_to_decide_pass_only_where_the_bounds_allow_it(candidate: Candidate) -> None:
    leaks = [{**row, "verdict": "too few"} for row in candidate.leak_table]
    undecided = replace(candidate, leak_table=leaks)
    assert failures(run_gate(undecided)) == {}
    assert set(failures(run_gate(undecided, GateBounds(undecided_cells="refuse")))) == {"certifier_passed"}


def test_questions_that_no_certifier_has_read_are_refused_unless_screening_is_waived(rows: Rows, build: Build) -> None:
    rows["verdicts"] = [row for row in rows["verdicts"] if row.family != "certifier"]
    candidate = build(rows)
    found = failures(run_gate(candidate))
    assert set(found) == {"questions_are_screened"}
    assert found["questions_are_screened"].endswith("was never read by a certifier (and 10 more)")
    assert failures(run_gate(candidate, GateBounds(require_screening=False))) == {}


def test_counts_that_do_not_add_up_are_refused(candidate: Candidate) -> None:
    counts = [dict(row) for row in candidate.stage_counts]
    counts[1] |= {"items_in": 15}
    found = failures(run_gate(replace(candidate, stage_counts=counts)))
    assert found == {"stages_add_up": "tiling 15 in, 12 out, 1 rejected: 2 unaccounted for"}


def test_a_rejection_that_no_stage_counted_is_refused(rows: Rows, build: Build) -> None:
    rows["rejections"].append(Rejection(content_id("field", 99), "tiling", "blurred", "focus 3"))
    found = failures(run_gate(build(rows)))
    assert found == {"rejections_are_counted": "blurred 0 counted by the stages, 1 listed in rejections"}


def test_a_perturbation_that_changes_nothing_is_refused(rows: Rows, build: Build) -> None:
    caption, perturbation = rows["captions"][0], rows["perturbations"][0]
    rows["perturbations"][0] = replace(perturbation, text=caption.text.replace(" is", "  is"))
    found = failures(run_gate(build(rows)))
    assert found == {"perturbations_differ": f"{perturbation.perturbation_id} is the same text as {caption.caption_id}"}


def test_a_share_above_one_is_refused(rows: Rows, build: Build) -> None:
    rows["tiles"][3] = replace(rows["tiles"][3], tissue_fraction=1.2)
    rows["verdicts"][0] = replace(rows["verdicts"][0], p_key=1.0 + 1e-12)  # a rounding is not a breach
    found = failures(run_gate(build(rows)))
    assert found == {"columns_hold_what_they_may": f"{rows['tiles'][3].tile_id} (tiles) has tissue_fraction 1.2"}


def test_a_value_outside_its_closed_list_is_refused(rows: Rows, build: Build) -> None:
    rows["captions"][0] = replace(rows["captions"][0], level="poem")
    found = failures(run_gate(build(rows)))
    assert found == {"columns_hold_what_they_may": f"{rows['captions'][0].caption_id} (captions) has level poem"}


def test_a_refused_candidate_stays_in_quarantine_and_nothing_is_published(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    rows["questions"][0] = replace(rows["questions"][0], rationale="Option A.")
    candidate, store = build(rows), tmp_path / "store"
    with pytest.raises(GateError, match="rationales_name_no_letters") as refused:
        publish(candidate, config, store)
    (kept,) = (store / "quarantine" / "sample").iterdir()
    assert kept.name.startswith("1.0.0-")
    assert kept.name in str(refused.value)
    assert [path.name for path in store.iterdir()] == ["quarantine"]
    assert pq.read_table(kept / "tables" / "questions").num_rows == 12
    page = (kept / "report.html").read_text()
    assert "refused" in page
    assert rows["questions"][0].question_id in page
    with pytest.raises(GateError):
        publish(candidate, config, store)
    assert len(list((store / "quarantine" / "sample").iterdir())) == 1


def test_the_report_page_escapes_what_rows_say(rows: Rows, build: Build, config: ReleaseConfig) -> None:
    rows["questions"][0] = replace(
        rows["questions"][0], rationale="Option A<script>alert(1)</script>", option_set_id=None
    )
    rows["questions"][1] = replace(rows["questions"][1], options=("<b>", "<b>"), option_set_id=None)
    page = report_page(run_gate(build(rows)), config)
    assert "<script>alert" not in page


def test_a_missing_file_an_unknown_table_and_a_foreign_file_are_named(candidate: Candidate, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tiles: gone\.parquet is missing"):
        run_gate(replace(candidate, tables={**candidate.tables, "tiles": [tmp_path / "gone.parquet"]}))
    with pytest.raises(InputError, match="no table is called 'pictures'"):
        run_gate(replace(candidate, tables={"pictures": []}))
    foreign = {**candidate.tables, "captions": candidate.tables["fields"]}
    with pytest.raises(FileFormatError, match="captions: 0-fields.parquet lacks the column caption_id"):
        run_gate(replace(candidate, tables=foreign))
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(FileFormatError, match="torn.parquet is not a Parquet file"):
        run_gate(replace(candidate, tables={**candidate.tables, "captions": [tmp_path / "torn.parquet"]}))
    with pytest.raises(InputError, match="no split is called 'dev'"):
        run_gate(replace(candidate, split_of_patient={"P00": "dev"}))
