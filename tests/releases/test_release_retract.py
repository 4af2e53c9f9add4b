"""A patient who withdraws is in no table, file or page of the successor."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import GateError, InputError
from schemas.records import Rejection
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import open_release
from tasks.releases.retract import retract
from tasks.releases.verify import verify
from tasks.releases.withdrawal import as_candidate, less

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def test_the_successor_holds_nothing_of_the_patient(shared_store: Path, rows: Rows) -> None:
    done = retract(shared_store, "sample", "P01", created="2026-02-01")
    assert (done.successor.version, done.affected, done.unbalanced) == ("1.0.1", ("1.0.0",), 0)
    assert done.rows["tiles"] == 6
    assert verify(done.successor) == []
    theirs = {row.slide_id for row in rows["slides"] if row.patient_id == "P01"}
    theirs |= {row.tile_id for row in rows["tiles"] if row.slide_id in theirs}
    theirs |= {row.question_id for row in rows["questions"] if row.patient_id == "P01"} | {"P01"}
    for path in done.successor.path.rglob("*.parquet"):
        text = str([{k: v for k, v in row.items() if k != "image"} for row in pq.read_table(path).to_pylist()])
        assert not [item for item in theirs if f"'{item}'" in text], path.name
    for name in ("README.md", "manifest.json", "croissant.json"):
        assert "P01" not in (done.successor.path / name).read_text()
    assert done.successor.manifest["lineage"]["patients_withdrawn"] == 1
    assert done.successor.manifest["parents"][0]["version"] == "1.0.0"
    assert open_release(shared_store, "sample").version == "1.0.1"


def test_who_withdrew_does_not_come_back_with_the_next_run(
    shared_store: Path, candidate: Candidate, config: ReleaseConfig
) -> None:
    retract(shared_store, "sample", "P01")
    without_both = retract(shared_store, "sample", "P03").successor
    of_a_run = replace(as_candidate(without_both), lineage={})
    publish(of_a_run, config.model_copy(update={"version": "1.1.0"}), shared_store)
    for version in ("1.0.1", "1.0.2"):  # every later version hands on who withdrew
        shutil.rmtree(shared_store / "sample" / version)
    for version in ("1.2.0", "2.0.0"):
        with pytest.raises(GateError, match=r"patients_stay_withdrawn: P01 withdrew in 1\.1\.0; take them out of"):
            publish(candidate, config.model_copy(update={"version": version}), shared_store)


def test_sets_are_balanced_again_and_what_that_costs_is_told(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    rows["questions"][0] = replace(rows["questions"][0], answer_index=1)  # P00 has two of the second key,
    rows["questions"][2] = replace(rows["questions"][2], answer_index=0)  # P01 two of the first
    rows["questions"][3] = replace(rows["questions"][3], answer_index=0)
    report, slide, field = (rows[name][0] for name in ("reports", "slides", "fields"))
    theirs = [
        Rejection("reports.jsonl#7", "reports", "near_duplicate", f"equal to an earlier one, {report.report_id}"),
        Rejection(f"{field.field_id}/diagnosis", "generation", "no_features", "not known here"),
        Rejection("mcq_dropped", "screening", "leaks", f"read without the image (of {field.field_id})"),
        Rejection("scans/P00-2.svs", "slides", "unreadable", "scans/P00-2.svs is empty"),
        Rejection("copy.svs", "slides", "duplicate_image", f"copy.svs has the same content as {slide.name}"),
    ]
    others = [Rejection("scans/P001.svs", "slides", "unreadable", "scans/P001.svs is empty")]
    rows["rejections"] += theirs + others
    rows["verdicts"].append(replace(rows["verdicts"][0], question_id="mcq_dropped"))
    store = tmp_path / "store"
    candidate = build(with_balance(rows))
    reasons = Counter(row.reason for row in theirs + others)
    rest = {"stage": "rest", "items_in": 6, "items_out": 0, "rejected": reasons}
    publish(replace(candidate, stage_counts=[*candidate.stage_counts, rest]), config, store)
    done = retract(store, "sample", "P00")
    assert done.unbalanced == 2
    assert done.successor.tables["questions"]["splits"] == {"train": 4, "val": 2, "test": 2}
    told = pq.read_table(done.successor.path / "data" / "rejections").to_pylist()
    assert [row["reason"] for row in told if row["stage"] == "release"] == ["unbalanced"] * 2
    assert {row["item_id"] for row in told if row["stage"] != "release"} == {
        *(row.item_id for row in rows["rejections"] if row not in theirs)
    }
    read = pq.read_table(done.successor.path / "data" / "verdicts", columns=["question_id"])
    assert "mcq_dropped" not in read["question_id"].to_pylist()
    counts = {row["stage"]: row for row in done.successor.manifest["stage_counts"]}
    assert counts["release"] == {"stage": "release", "items_in": 10, "items_out": 8, "rejected": {"unbalanced": 2}}
    assert counts["rest"]["rejected"] == {**dict.fromkeys((row.reason for row in theirs), 0), "unreadable": 2}
    assert counts["slides"]["rejected"] == {"unreadable": 0}


def test_sets_are_balanced_again_for_each_order_of_their_options(
    rows: Rows, build: Build, config: ReleaseConfig, tmp_path: Path
) -> None:
    for at in (0, 3):  # one of P00 and one of P01, with different keys
        one = rows["questions"][at]
        rows["questions"][at] = replace(
            one,
            options=one.options[::-1],
            option_concepts=one.option_concepts[::-1],
            answer_index=1 - one.answer_index,
        )
    store = tmp_path / "store"
    publish(build(rows), config, store)
    assert retract(store, "sample", "P00").unbalanced == 2


def with_balance(rows: Rows) -> Rows:
    """Give the other questions of train the keys that balance the set."""
    keys = [row.answer_index for row in rows["questions"][:8]]
    short = 0 if keys.count(0) < 4 else 1
    for at in range(4, 8):
        if keys.count(short) < 4 and keys[at] != short:
            rows["questions"][at] = replace(rows["questions"][at], answer_index=short)
            keys[at] = short
    return rows


def test_who_is_not_there_cannot_be_retracted(shared_store: Path) -> None:
    with pytest.raises(InputError, match=r"sample 1\.0\.0 holds no patient 'P99'; no version does"):
        retract(shared_store, "sample", "P99")
    retract(shared_store, "sample", "P02")
    with pytest.raises(InputError, match=r"sample 1\.0\.1 holds no patient 'P02'; only older versions do: 1\.0\.0"):
        retract(shared_store, "sample", "P02")


def test_counts_go_down_where_the_stage_counted_the_reason() -> None:
    counts = [
        {"stage": "features", "items_in": 9, "items_out": 6, "rejected": {"no_features": 2, "not_visible": 1}},
        {"stage": "questions", "items_in": 5, "items_out": 2, "rejected": {"no_features": 3}},
    ]
    assert less(counts, {("generation", "no_features"): 1, ("slides", "not_visible"): 1}) == [
        {"stage": "features", "items_in": 8, "items_out": 6, "rejected": {"no_features": 2, "not_visible": 0}},
        {"stage": "questions", "items_in": 4, "items_out": 2, "rejected": {"no_features": 2}},
    ]
    assert counts[0]["items_in"] == 9
