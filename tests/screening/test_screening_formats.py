from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.screening.answers import answer_styles, read_options
from tasks.screening.formats import read_items
from tasks.screening.items import LETTERS
from tests.screening.written import QUESTION, TEXTS, keys, rows_of, write


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


@settings(max_examples=30)
@given(texts=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=2, max_size=26, unique=True))
def test_lists_and_letters_mean_the_same_options(texts: list[str]) -> None:
    as_letters = dict(zip(LETTERS, texts, strict=False))
    assert read_options(texts)[1] == read_options(as_letters)[1]
