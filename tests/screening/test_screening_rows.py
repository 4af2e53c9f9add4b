"""What stands in files: shapes, rows that cannot be used, characters, images."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import FileFormatError
from tasks.screening.formats import read_items
from tasks.screening.items import LETTERS
from tasks.screening.rows import read_rows
from tests.screening.written import QUESTION, TEXTS, keys, rows_of, write


@pytest.mark.parametrize(
    "document",
    [
        {"data": rows_of(TEXTS, ["A"])},
        {"version": 1, "questions": rows_of(TEXTS, ["A"])},
        {"q1": rows_of(TEXTS, ["A"])[0]},
        {"question": [QUESTION], "options": [TEXTS], "answer": ["A"]},
        [
            {"question": {"stem": QUESTION, "choices": [{"text": t, "label": "ABCD"[n]} for n, t in enumerate(TEXTS)]}}
            | {"answerKey": "A"}
        ],
        rows_of(TEXTS, ["A"])[0],
    ],
)
def test_documents_of_other_shapes_are_understood(tmp_path: Path, document: Any) -> None:
    items, _ = read_items(write(tmp_path / "f.json", document))
    assert (items[0].options, items[0].key) == (tuple(TEXTS), 0)


def test_rows_that_cannot_be_used_are_counted_with_their_reasons(tmp_path: Path) -> None:
    good = rows_of(TEXTS, ["A"])[0]
    bad: list[tuple[Any, str]] = [
        ({**good, "answer": None}, "missing_answer"),
        ({**good, "answer": "  "}, "missing_answer"),
        ({**good, "answer": "E"}, "missing_answer"),
        ({**good, "answer": ["A", "B"]}, "missing_answer"),
        ({**good, "options": ["one", "two", " one ", "three"]}, "duplicate_options"),
        ({**good, "options": ["one", "", "three"]}, "empty_option"),
        ({**good, "options": ["one"]}, "malformed_item"),
        ({**good, "options": [str(n) for n in range(27)]}, "malformed_item"),
        ({**good, "options": None}, "malformed_item"),
        ({**good, "options": [["nested"], "two"]}, "malformed_item"),
        ({**good, "options": '["cut off'}, "malformed_item"),
        ({**good, "question": ""}, "malformed_item"),
        ({**good, "question": 7}, "malformed_item"),
        ("a text", "malformed_item"),
        (None, "malformed_item"),
    ]
    items, rejections = read_items(write(tmp_path / "f.json", [good, *(row for row, _ in bad), good]))
    assert len(items) == 2
    assert [row.reason for row in rejections] == [reason for _, reason in bad]
    assert rejections[0].item_id == "row 2"
    assert all(row.detail for row in rejections)


@pytest.mark.parametrize("texts", [["AA", "Aa", "aA", "aa"], ["10² cells", "102 cells", "10³ cells", "103 cells"]])
def test_options_that_differ_by_case_or_a_small_figure_are_different(tmp_path: Path, texts: list[str]) -> None:
    row = rows_of(TEXTS, ["A"])[0]
    rows = [{**row, "question": f"{row['question']} {n}", "options": texts, "answer": texts[n]} for n in range(4)]
    items, rejections = read_items(write(tmp_path / "f.json", rows))
    assert [item.key for item in items] == [0, 1, 2, 3]
    assert not rejections


def test_ids_that_occur_twice_are_told_apart(tmp_path: Path) -> None:
    items, _ = read_items(write(tmp_path / "f.json", rows_of(TEXTS, ["A", "B"], id="same")))
    assert [item.item_id for item in items] == ["same", "same (row 2)"]


def test_a_row_that_repeats_another_is_left_out_where_the_file_tells_images_apart(tmp_path: Path) -> None:
    rows = [{**row, "id": n, "image": f"{n % 2}.png"} for n, row in enumerate(rows_of(TEXTS, ["A", "A"]) * 2)]
    for row in rows:
        row["question"] = QUESTION
    items, rejections = read_items(write(tmp_path / "f.jsonl", rows))
    assert [item.item_id for item in items] == ["0", "1"]
    assert [(r.item_id, r.reason, r.detail) for r in rejections] == [
        ("2", "duplicate_item", "the same as 0"),
        ("3", "duplicate_item", "the same as 1"),
    ]
    unnamed = [{name: value for name, value in row.items() if name != "image"} for row in rows]
    assert len(read_items(write(tmp_path / "unnamed.jsonl", unnamed))[0]) == 4
    stored = [{**row, "image": {"bytes": b"x"}, "patient": "p"} for row in rows]
    assert len(read_items(write(tmp_path / "stored.parquet", stored))[0]) == 4


def test_half_a_character_is_read_and_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps(rows_of(["\ud83d", "\U0001f642", "c"], [1, 1])))
    items, _ = read_items(tmp_path / "f.json")
    assert items[0].options == ("?", "\U0001f642", "c")


def test_other_languages_are_read_as_they_are(tmp_path: Path) -> None:
    rows = [{"question": "这是什么肿瘤？", "options": ["腺癌", "淋巴瘤", "Siebförmiges Karzinom"], "answer": "淋巴瘤"}]
    items, _ = read_items(write(tmp_path / "f.jsonl", rows))
    assert items[0].key == 1
    assert items[0].options[2] == "Siebförmiges Karzinom"


def test_separators_inside_texts_do_not_end_a_line(tmp_path: Path) -> None:
    rows = rows_of(["one\u2028line", "two\x85lines", "three\x0c", "four"], ["A", "B"])
    items, _ = read_items(write(tmp_path / "f.jsonl", rows))
    assert keys(items) == [0, 1]
    (tmp_path / "crlf.jsonl").write_bytes("\r\n".join(json.dumps(row) for row in rows).encode("utf-8-sig"))
    assert keys(read_items(tmp_path / "crlf.jsonl")[0]) == [0, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.json", b'[{"question": "x", "opt', "is not JSON"),
        ("f.jsonl", b'{"question": "x", "options": ["a", "b"], "answer": 0}\n{"quest', "line 2 is not JSON"),
        ("f.json", b"[]", "holds no questions"),
        ("f.jsonl", b"\n\n", "holds no questions"),
        ("f.json", b"3", "holds a int"),
        ("f.json", '{"frage": "schön"}'.encode("latin-1"), "is not UTF-8"),
        ("f.parquet", b"PAR1 cut off", "not a readable Parquet"),
        ("f.csv", b"question,answer", "are not read"),
        ("f.json", b'[{"question": "x", "answer": 1}]', "looks like the options"),
        ("f.json", b'[{"stem": "x", "options": ["a", "b"]}]', "looks like the answer"),
        ("f.json", b'[{"options": ["a", "b"], "answer": 1}]', "looks like the question"),
        ("f.json", b'[{"question": "x", "options": ["a", "a"], "answer": 1}]', "none of 1 rows can be used"),
        ("f.json", b"[1, 2, 3]", "looks like the question"),
        ("f.json", b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_file_that_is_no_benchmark_is_one_clear_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_items(path)
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.remedy


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="gone.json is not a file"):
        read_items(tmp_path / "gone.json")
    path = write(tmp_path / "f.json", rows_of(TEXTS, ["A"]))
    with pytest.raises(FileFormatError, match="no column 'patient'.*answer, options, question"):
        read_items(path, group="patient")


def test_our_own_questions_table_keeps_its_sets_and_cells(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": f"mcq_{n}",
            "patient_id": "p",
            "slide_id": "s",
            "dimension": "diagnosis",
            "question": QUESTION,
            "options": TEXTS,
            "option_concepts": [""] * 4,
            "answer_index": n,
            "option_set_id": "set",
            "cell": "diagnosis/siblings/rules",
            "split": "train",
        }
        for n in range(4)
    ]
    items, _ = read_items(write(tmp_path / "q.parquet", rows))
    one = items[3]
    assert (one.item_id, one.group, one.cell, one.type) == ("mcq_3", "p", "diagnosis/siblings/rules", "diagnosis")
    assert (one.key, one.option_set) == (3, "set/train")


def test_a_map_of_letters_in_a_table_is_a_mapping(tmp_path: Path) -> None:
    pairs = list(zip("ABCD", TEXTS, strict=True))
    table = pa.table({"question": [QUESTION], "answer": ["C"]})
    options = pa.array([pairs], pa.map_(pa.string(), pa.string()))
    pq.write_table(table.append_column("options", options), tmp_path / "f.parquet")
    (item,) = read_items(tmp_path / "f.parquet")[0]
    assert (item.options, item.key) == (tuple(TEXTS), 2)


@pytest.mark.parametrize("image", [b"x", {"bytes": b"x", "path": "a.jpg"}, [b"x"], [{"bytes": b"x"}], [[b"x"]]])
def test_images_in_a_table_are_not_loaded(tmp_path: Path, image: Any) -> None:
    path = write(tmp_path / "f.parquet", [{**row, "image": image} for row in rows_of(TEXTS, ["A", "B"])])
    rows = read_rows(path)
    assert not rows.whole
    assert all("image" not in row for row in rows.values)
    assert [item.group for item in read_items(path)[0]] == ["", ""]


def test_ten_thousand_rows_are_read_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    with path.open("w") as stream:
        for n in range(10_000):
            stream.write(json.dumps({"question": f"{QUESTION} {n}", "options": TEXTS, "answer": LETTERS[n % 4]}) + "\n")
    started = time.process_time()
    items, rejections = read_items(path)
    assert len(items) == 10_000
    assert rejections == []
    assert time.process_time() - started < 2
