from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import FileFormatError
from tasks.screening.answers import answer_styles, read_options
from tasks.screening.formats import read_items
from tasks.screening.items import LETTERS, Item

TEXTS = ["adenocarcinoma", "lymphoma", "sarcoma", "melanoma"]
QUESTION = "Which tumour is it?"


def write(path: Path, rows: Any) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def rows_of(options: Any, answers: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"{QUESTION} {n}", "options": options, "answer": a, **more} for n, a in enumerate(answers)]


def keys(items: list[Item]) -> list[int]:
    return [item.key for item in items]


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("options", "answers"),
    [
        (TEXTS, ["A", "C", "D", "B"]),
        (TEXTS, [0, 2, 3, 1]),
        (TEXTS, ["0", "2", "3", "1"]),
        (TEXTS, [1, 3, 4, 2]),
        (TEXTS, [0.0, 2.0, 3.0, 1.0]),
        (TEXTS, ["adenocarcinoma", "Sarcoma.", "melanoma", "  lymphoma "]),
        (TEXTS, ["(A)", "C.", "D) melanoma", "Answer: B"]),
        (TEXTS, [["A"], ["C"], ["D"], ["B"]]),
        (dict(zip("ABCD", TEXTS, strict=True)), ["A", "C", "D", "B"]),
        (dict(zip("abcd", TEXTS, strict=True)), ["A", "C", "D", "B"]),
        ({"text": TEXTS, "label": ["1", "2", "3", "4"]}, ["1", "3", "4", "2"]),
        ({"text": TEXTS, "label": ["A", "B", "C", "D"]}, ["A", "C", "D", "B"]),
        ([{"key": letter, "value": text} for letter, text in zip("ABCD", TEXTS, strict=True)], ["A", "C", "D", "B"]),
        ([f"{letter}. {text}" for letter, text in zip("ABCD", TEXTS, strict=True)], ["A", "C", "D", "B"]),
        (json.dumps(TEXTS), ["A", "C", "D", "B"]),
        (repr(TEXTS), ["A", "C", "D", "B"]),
        (TEXTS, [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]),
        ("A) adenocarcinoma\nB) lymphoma\nC) sarcoma\nD) melanoma", ["A", "C", "D", "B"]),
        ("(A) adenocarcinoma, (B) lymphoma, (C) sarcoma, (D) melanoma", ["A", "C", "D", "B"]),
    ],
)
def test_options_and_answers_are_read_in_every_usual_form(
    tmp_path: Path, suffix: str, options: Any, answers: list[Any]
) -> None:
    items, rejections = read_items(write(tmp_path / f"file{suffix}", rows_of(options, answers)))
    assert rejections == []
    assert keys(items) == [0, 2, 3, 1]
    assert all(item.options == tuple(TEXTS) for item in items)


@pytest.mark.parametrize(
    "names",
    [
        ("A", "B", "C", "D"),
        ("option_a", "option_b", "option_c", "option_d"),
        ("opa", "opb", "opc", "opd"),
        ("choice1", "choice2", "choice3", "choice4"),
        ("ending0", "ending1", "ending2", "ending3"),
    ],
)
def test_one_column_per_option_is_found(tmp_path: Path, names: tuple[str, ...]) -> None:
    rows = [{"id": n, "question": QUESTION, **dict(zip(names, TEXTS, strict=True)), "answer": "C"} for n in range(3)]
    items, _ = read_items(write(tmp_path / "f.json", rows))
    assert keys(items) == [2, 2, 2]
    assert items[0].options == tuple(TEXTS)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"correct_answer": "sarcoma", "distractor1": "a", "distractor2": "b", "distractor3": "c"}, {}),
        (
            {
                "Correct Answer": "sarcoma",
                "Incorrect Answer 1": "a",
                "Incorrect Answer 2": "b",
                "Incorrect Answer 3": "c",
            },
            {},
        ),
        ({"correct_answer": "sarcoma", "incorrect_answers": ["a", "b", "c"]}, {}),
        (
            {"right": "sarcoma", "x": "a", "y": "b", "z": "c"},
            {"options": ("right", "x", "y", "z"), "answer": "right"},
        ),
    ],
)
def test_a_right_answer_that_stands_apart_is_put_among_the_wrong_ones_at_no_telling_place(
    tmp_path: Path, row: dict[str, Any], named: dict[str, Any]
) -> None:
    answer = next(name for name, value in row.items() if value == "sarcoma")
    rows = [{"question": f"{QUESTION} {n}", **row, answer: f"sarcoma {n}"} for n in range(40)]
    items, rejections = read_items(write(tmp_path / "f.json", [*rows, {**rows[0], answer: None}]), **named)
    assert [(r.item_id, r.reason) for r in rejections] == [("row 41", "missing_answer")]
    assert all(item.options[item.key] == f"sarcoma {n}" for n, item in enumerate(items))
    assert all(sorted(item.options) == ["a", "b", "c", item.options[item.key]] for item in items)
    assert set(keys(items)) == {0, 1, 2, 3}


def test_ragged_columns_give_ragged_options(tmp_path: Path) -> None:
    rows = [
        {"question": QUESTION, "A": "yes", "B": "no", "C": None, "answer": "B"},
        {"question": QUESTION, "A": "one", "B": "two", "C": "three", "answer": "C"},
    ]
    items, _ = read_items(write(tmp_path / "f.parquet", rows))
    assert [len(item.options) for item in items] == [2, 3]
    assert keys(items) == [1, 2]


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


def test_group_type_and_id_are_found_by_name_or_given(tmp_path: Path) -> None:
    rows = [
        {**row, "qid": f"q{n}", "Patient ID": f"p{n % 2}", "question_type": "site", "hospital": "h"}
        for n, row in enumerate(rows_of(TEXTS, ["A", "B", "C"]))
    ]
    path = write(tmp_path / "f.jsonl", rows)
    items, _ = read_items(path)
    assert [(i.item_id, i.group, i.cell) for i in items] == [
        ("q0", "p0", "site"),
        ("q1", "p1", "site"),
        ("q2", "p0", "site"),
    ]
    items, _ = read_items(path, group="hospital", type="Patient ID")
    assert [(i.group, i.cell) for i in items] == [("h", "p0"), ("h", "p1"), ("h", "p0")]


def test_a_column_that_is_called_like_a_type_and_differs_from_row_to_row_is_none_unless_it_is_named(
    tmp_path: Path,
) -> None:
    rows = [{**row, "topic": f"topic {n}", "subset": n % 2} for n, row in enumerate(rows_of(TEXTS, ["A", "B"] * 15))]
    path = write(tmp_path / "f.json", rows)
    assert {item.cell for item in read_items(path)[0]} == {"0", "1"}
    assert len({item.cell for item in read_items(path, type="topic")[0]}) == 30


def test_rows_that_cannot_be_used_are_counted_with_their_reasons(tmp_path: Path) -> None:
    good = rows_of(TEXTS, ["A"])[0]
    bad: list[tuple[Any, str]] = [
        ({**good, "answer": None}, "missing_answer"),
        ({**good, "answer": "  "}, "missing_answer"),
        ({**good, "answer": "E"}, "missing_answer"),
        ({**good, "answer": ["A", "B"]}, "missing_answer"),
        ({**good, "options": ["one", "two", " One ", "three"]}, "duplicate_options"),
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


def test_options_that_are_letters_or_numbers_are_matched_by_what_fits_the_file(tmp_path: Path) -> None:
    numbers = [{"question": QUESTION, "options": ["4", "3", "2", "1"], "answer": str(n)} for n in (4, 3, 2, 1)]
    assert keys(read_items(write(tmp_path / "n.json", numbers))[0]) == [0, 1, 2, 3]
    groups = [{"question": QUESTION, "options": ["O", "A", "B", "AB"], "answer": text} for text in ("A", "AB", "B")]
    assert keys(read_items(write(tmp_path / "g.json", groups))[0]) == [1, 3, 2]


def test_numbers_count_from_one_only_where_the_file_shows_it() -> None:
    def row(answer: int) -> tuple[Any, list[str], list[str]]:
        return answer, list("ABCD"), TEXTS

    assert answer_styles([row(1), row(2), row(4)])[0] == "index from 1"
    assert answer_styles([row(1), row(2), row(3)])[0] == "index"
    assert answer_styles([row(0), row(2), row(3)])[0] == "index"


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


def test_images_in_a_table_are_not_loaded(tmp_path: Path) -> None:
    rows = [{**row, "image": {"bytes": b"x" * 1000, "path": "a.jpg"}} for row in rows_of(TEXTS, ["A", "B"])]
    items, _ = read_items(write(tmp_path / "f.parquet", rows))
    assert [item.group for item in items] == ["", ""]


@settings(max_examples=30)
@given(texts=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=2, max_size=26, unique=True))
def test_lists_and_letters_mean_the_same_options(texts: list[str]) -> None:
    as_letters = dict(zip(LETTERS, texts, strict=False))
    assert read_options(texts)[1] == read_options(as_letters)[1]


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
