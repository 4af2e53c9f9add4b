"""Comparing, pulling and tracing releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import InputError, StoreError
from schemas.records import Rejection
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.diff import Diff, _gone, diff
from tasks.releases.lineage import trace
from tasks.releases.manifest_changes import metric_changes
from tasks.releases.publish import publish
from tasks.releases.pull import pull
from tasks.releases.read import Release, open_release
from tasks.releases.retract import retract
from tasks.releases.rows import read_rows
from tasks.releases.verify import verify

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


def test_a_diff_counts_rows_by_key_and_says_why_they_went(
    rows: Rows, build: Build, published: Release, shared_store: Path, config: ReleaseConfig
) -> None:
    older = open_release(shared_store, "sample")
    gone = [rows["questions"].pop(0) for _ in range(2)]
    rows["rejections"] += [Rejection(row.question_id, "review", "rejected_by_reviewer", "wrong") for row in gone]
    rows["captions"][3] = replace(rows["captions"][3], text="Glands are seen.", phrasing=2)
    rows["captions"].append(replace(rows["captions"][3], caption_id="cap_new"))
    rows["tiles"][4] = replace(rows["tiles"][4], image=rows["tiles"][4].image + b"\xff\xd9")
    candidate = build(rows)
    counts = [
        *candidate.stage_counts,
        {"stage": "review", "items_in": 12, "items_out": 10, "rejected": {"rejected_by_reviewer": 2}},
    ]
    leaks = [candidate.leak_table[0], {**candidate.leak_table[1], "accuracy": 0.52}]
    sources = [{**candidate.sources[0], "version": "2"}]
    candidate = replace(candidate, stage_counts=counts, leak_table=leaks, sources=sources)
    newer = publish(candidate, config.model_copy(update={"version": "1.1.0"}), shared_store)
    found = diff(older, newer)
    assert set(found.tables) == {"questions", "captions", "tiles", "rejections", "verdicts", "review_events"}
    assert found.tables["verdicts"].columns_changed == {"split": 4}  # what is said of a rejected question has no split
    assert found.tables["questions"].removed == 2
    assert found.tables["questions"].reasons == {"rejected_by_reviewer": 2}
    assert found.tables["questions"].sample["removed"] == sorted(row.question_id for row in gone)
    captions = found.tables["captions"]
    assert (captions.added, captions.changed, captions.columns_changed) == (1, 1, {"text": 1, "phrasing": 1})
    assert found.tables["tiles"].columns_changed == {"image": 1}
    assert (found.tables["rejections"].added, found.tables["rejections"].removed) == (2, 0)
    assert found.metrics == ["forest on correspondence/pattern/rules: 0.500 (pass, n = 12) -> 0.520 (pass, n = 12)"]
    assert found.verdicts == []
    assert "other results of readers that differ, none by a failure: 1; --json names them" in found.lines()
    assert found.sources == ["source starter graph changed"]
    assert found.schema == []
    assert "  removed as rejected_by_reviewer: 2" in found.lines()
    back = diff(newer, older)
    assert back.tables["questions"].added == 2
    assert back.tables["captions"].removed == 1
    assert back.tables["captions"].reasons == {"no reason given": 1}  # all that it refers to is still there


def test_a_diff_says_with_what_a_row_went(published: Release, shared_store: Path) -> None:
    older = open_release(shared_store, published.dataset, published.version)
    newer = retract(shared_store, published.dataset, "P00").successor
    tables = diff(older, newer).tables
    assert set(tables["slides"].reasons) == set(tables["captions"].reasons) == {"its patient is gone"}
    assert set(tables["tiles"].reasons) == {"its slide is gone"}
    assert "its question is gone" in tables["verdicts"].reasons
    assert "no reason given" not in tables["fields"].reasons
    told = dict.fromkeys(_gone(older, newer, list(older.tables))["reason"].to_pylist())
    assert {"its reasoning sample is gone", "its patient is gone"} <= told.keys()


def test_a_release_does_not_differ_from_itself(published: Release) -> None:
    found = diff(published, published)
    assert found.empty
    assert found.lines() == ["sample 1.0.0 -> sample 1.0.0", "nothing changed"]


def test_a_change_of_the_whole_or_by_a_failure_tells_and_the_others_are_counted() -> None:
    def manifest(*rows: tuple[str, float, str], kappa: float) -> dict[str, Any]:
        table = [dict(zip(("cell", "accuracy", "verdict"), row, strict=True), reader="r", n=9) for row in rows]
        return {"leak_table": table, "agreement": {"kappa": kappa}}

    older = manifest(
        ("all", 0.25, "pass"), ("a", 0.2, "pass"), ("b", 0.2, "pass"), ("c", 0.2, "pass"), ("e", 0.6, "fail"), kappa=0.5
    )
    newer = manifest(
        ("all", 0.26, "pass"), ("a", 0.3, "fail"), ("b", 0.3, "pass"), ("d", 0.2, "pass"), ("e", 0.7, "fail"), kappa=0.6
    )
    changes = metric_changes(older, newer)
    assert [line.split(":")[0] for line, tells in changes if not tells] == ["r on b", "r on c", "r on d", "r on e"]
    assert [line.split(":")[0] for line, tells in changes if tells] == ["r on a", "r on all", "kappa"]
    found = Diff("1", "2", {}, [], [line for line, _ in changes], [line for line, tells in changes if tells], [])
    assert found.lines()[-1].startswith("other results of readers that differ, none by a failure: 4;")


@pytest.mark.parametrize("part", ["schema", "metrics", "sources"])
def test_one_change_of_any_kind_is_a_difference(part: str) -> None:
    change: dict[str, Any] = {part: ["a change"]}
    assert Diff("1", "2", {}, [], [], [], []).empty
    assert not replace(Diff("1", "2", {}, [], [], [], []), **change).empty


def test_files_that_are_left_out_are_not_read(published: Release) -> None:
    files = [entry["sha256"] for entry in published.tables["questions"]["files"]]
    assert read_rows(published, "questions").num_rows > 0
    assert read_rows(published, "questions", but=files).num_rows == 0


def test_a_table_that_came_or_went_is_a_change_of_schema(
    published: Release, lean: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    small = publish(lean, config, tmp_path / "store")
    assert "table questions is gone" in diff(published, small).schema
    assert "table questions is new" in diff(small, published).schema


def test_a_pulled_release_is_the_release(published: Release, tmp_path: Path) -> None:
    there = pull(published, tmp_path / "here")
    assert there.manifest == published.manifest
    assert verify(there) == []
    before = {path: path.stat().st_mtime_ns for path in there.path.rglob("*.parquet")}
    pull(published, tmp_path / "here")
    assert before == {path: path.stat().st_mtime_ns for path in there.path.rglob("*.parquet")}


def test_an_interrupted_pull_is_resumed(published: Release, tmp_path: Path) -> None:
    here = tmp_path / "here"
    entry = published.tables["tiles"]["files"][0]
    part = here / (entry["path"] + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes((published.path / entry["path"]).read_bytes()[:5000])
    torn = here / "README.md"
    torn.write_bytes(b"torn")
    assert verify(pull(published, here)) == []
    assert not list(here.rglob("*.part"))


def test_a_part_of_something_else_is_found_and_fetched_anew(published: Release, tmp_path: Path) -> None:
    part = tmp_path / "here" / "README.md.part"
    part.parent.mkdir()
    part.write_bytes(b"something else")
    with pytest.raises(StoreError, match=r"README\.md of sample 1\.0\.0 is not what its manifest says"):
        pull(published, tmp_path / "here")
    assert verify(pull(published, tmp_path / "here")) == []


def test_pulling_into_a_folder_of_something_else_is_refused(
    published: Release, copied: Release, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"photos holds cat\.png, which is not of sample 1\.0\.0"):
        pull(published, tmp_path / "photos")
    (copied.path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="copied holds another release"):
        pull(published, copied.path)


def test_pulling_an_altered_or_missing_file_says_so(copied: Release, tmp_path: Path) -> None:
    path = copied.path / copied.tables["captions"]["files"][0]["path"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="captions/test-00000-of-00001.parquet of sample 1.0.0 is not what"):
        pull(copied, tmp_path / "here")
    path.unlink()
    with pytest.raises(StoreError, match="sample 1.0.0 lacks data/captions/test-00000-of-00001.parquet"):
        pull(copied, tmp_path / "here")


def test_a_question_is_traced_to_the_bytes_of_its_slide(published: Release, rows: Rows) -> None:
    question = rows["questions"][0]
    found = trace(published, question.question_id)
    assert (found["item"]["table"], found["item"]["question"]) == ("questions", question.question)
    assert found["item"]["provenance"]["prompt_sha256"] == "0" * 64
    upstream: dict[str, list[Any]] = {}
    for row in found["from"]:
        upstream.setdefault(row["table"], []).append(row)
    assert [row["sha256"] for row in upstream["slides"]] == [rows["slides"][0].sha256]
    assert {row["tile_id"] for row in upstream["tiles"]} == {row.tile_id for row in rows["tiles"][:3]}
    assert all(len(row["image"]) == 64 for row in upstream["tiles"])
    assert [row["report_id"] for row in upstream["reports"]] == [rows["reports"][0].report_id]
    assert [row["reader"] for row in found["decisions"]["verdicts"]] == ["boosting", "forest"]
    assert [row["kind"] for row in found["decisions"]["review_events"]] == ["open"]
    assert found["release"]["sources"][0]["name"] == "starter graph"
    assert [(cited["says"], cited["source"]) for cited in found["cites"]] == [
        ("low: architecture glandular present", "annotation")
    ]


def test_a_reasoning_sample_is_traced_to_the_source_of_each_edge(published: Release, rows: Rows) -> None:
    found = trace(published, rows["reasoning"][0].sample_id)
    assert found["cites"] == [{"id": "edge_1", "says": "Glands suggest adenocarcinoma.", "source": "starter"}]


def test_a_perturbation_is_traced_over_its_caption_and_a_rejected_item_to_its_reason(
    published: Release, rows: Rows
) -> None:
    found = trace(published, rows["perturbations"][0].perturbation_id)
    assert [row["table"] for row in found["from"]][:2] == ["captions", "fields"]
    assert trace(published, "broken.svs")["item"]["reason"] == "unreadable"
    with pytest.raises(InputError, match="sample 1.0.0 has no item 'mcq_unknown'"):
        trace(published, "mcq_unknown")


def test_every_published_file_reads_alone(published: Release) -> None:
    for name in published.tables:
        assert sum(pq.read_metadata(path).num_rows for path in published.files(name)) == published.tables[name]["rows"]
