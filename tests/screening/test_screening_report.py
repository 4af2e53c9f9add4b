from __future__ import annotations

from pathlib import Path

import pytest

from schemas.records import Rejection
from tasks.screening.config import ScreeningConfig
from tasks.screening.planted import planted_items
from tasks.screening.report import full_report, leak_table, result_rows, write_html
from tasks.screening.screen import Screening, screen
from tasks.screening.terminal import terminal_report

CONFIG = ScreeningConfig(trees=10, forest_trees=6, permutations=199)
LOST = [Rejection("row 3", "screening", "missing_answer", "no answer")]


@pytest.fixture(scope="module")
def screening() -> Screening:
    items = planted_items("word", 0.9, 150, seed=1, cell="site") + planted_items("none", 0, 30, seed=2, cell="grade")
    return screen(items, CONFIG)


def test_the_terminal_names_cell_reader_cue_word_and_what_was_left_out(screening: Screening) -> None:
    text = terminal_report(screening, LOST)
    assert "\x1b" not in text
    assert "site leaks by wording" in text
    assert "characteristic" in text
    assert "too few (about" in text
    assert "1 left out: missing answer, e.g. row 3: no answer" in text
    assert max(map(len, text.splitlines())) <= 110
    assert "\x1b[" in terminal_report(screening, color=True)


def test_names_are_shown_as_the_file_writes_them() -> None:
    names = ("[/x]", "[bold]b", ":smile:", "tail\\")
    parts = [planted_items("word", 0.9, 60, seed=n, cell=name) for n, name in enumerate(names)]
    found = screen([item for part in parts for item in part], ScreeningConfig(families=("tfidf",), certifier=None))
    text = terminal_report(found)
    for name in names:
        assert sum(line.startswith(f"{name} ") for line in text.splitlines()) == 2, name


def test_the_rows_for_machines_are_complete(screening: Screening) -> None:
    rows = result_rows(screening)
    assert len(rows) == 3 * len(screening.board.names)
    assert {"reader", "cell", "accuracy", "low", "high", "n", "verdict"} <= set(rows[0])
    assert {row["verdict"] for row in rows} <= {"pass", "fail", "too few"}
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in rows)
    report = full_report([screening], LOST)
    assert report["rejected"] == {"missing_answer": 1}
    assert report["rounds"][0]["cells"][1]["cues"][0]["cue"] == "wording"


def test_the_leak_table_shows_who_decides_and_who_fails(screening: Screening) -> None:
    table = leak_table([screening])
    assert len(table) < len(screening.rows)
    failing = {(row.reader, row.cell) for row in screening.rows if row.verdict == "fail"}
    assert failing <= {(row["reader"], row["cell"]) for row in table}
    assert ("forest", "grade") in {(row["reader"], row["cell"]) for row in table}
    assert leak_table([]) == []


def test_the_page_shows_cells_cues_and_flagged_questions(tmp_path: Path, screening: Screening) -> None:
    path = tmp_path / "page.html"
    write_html(path, [screening], LOST, title="Leakage screening", source="bench.json")
    page = path.read_text(encoding="utf-8")
    for expected in ("bench.json", "certifier", "wording", "characteristic", "too few", "missing answer", "(key)"):
        assert expected in page
    assert "http" not in page
    assert page.count("<svg") == 4  # an interval for each of three parts, and the histogram


def test_the_summary_says_what_a_run_report_needs(screening: Screening) -> None:
    summary = screening.summary()
    assert summary["verdict"] == "fail"
    assert summary["cells"] == {"pass": 0, "fail": 1, "too few": 1}
    assert summary["items"] == 180
    assert summary["flagged"] == len(screening.item_flags) > 0


def test_cells_that_are_too_small_do_not_fill_the_terminal_and_say_what_they_lack() -> None:
    many = [item for n in range(45) for item in planted_items("none", 0.0, 3, seed=n, cell=f"cell {n:02d}")]
    found = screen(many, ScreeningConfig(families=("prior",), certifier=None, permutations=199))
    text = terminal_report(found)
    assert "and 45 cells of fewer than 50 questions" in text
    assert len(text.splitlines()) < 8
    one_patient = screen(planted_items("none", 0.0, 60, seed=1, per_group=60), found.config)
    assert "too few (5 groups needed)" in terminal_report(one_patient)
