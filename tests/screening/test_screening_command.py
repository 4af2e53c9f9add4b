from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks._question_files import write_example
from flows.cli import main
from flows.commands.screen import command
from tasks.screening.formats import read_items
from tasks.screening.items import LETTERS
from tasks.screening.planted import Leak, planted_items

QUICK = "families: [prior, tfidf]\ncertifier: null\npermutations: 199\n"


def benchmark(path: Path, leak: Leak, strength: float, n: int = 120) -> Path:
    items = planted_items(leak, strength, n, seed=4)
    rows = [{"question": i.question, "options": i.options, "answer": LETTERS[i.key]} for i in items]
    path.write_text(json.dumps([*rows, {"question": "Unanswered?", "options": ["a", "b"], "answer": None}]))
    return path


def run(tmp_path: Path, *arguments: str) -> Result:
    (tmp_path / "quick.yaml").write_text(QUICK)
    return CliRunner().invoke(command, [*arguments, "--config", str(tmp_path / "quick.yaml")])


def test_a_leaking_file_exits_with_3_and_leaves_a_page_json_and_rejections(tmp_path: Path) -> None:
    path = benchmark(tmp_path / "bench.json", "word", 0.8)
    found = run(tmp_path, str(path), "--json", "--out", str(tmp_path / "out"))
    assert found.exit_code == 3
    said = json.loads(found.stdout)
    rows = said["results"]
    assert {"reader", "cell", "accuracy", "low", "high", "n", "verdict"} <= set(rows[0])
    assert "fail" in {row["verdict"] for row in rows if row["reader"] == "tfidf"}
    assert said["summary"]["verdict"] == "fail"
    assert said["rejected"] == 1
    assert "Leakage screening of bench.json" in (tmp_path / "out" / "screening.html").read_text()
    assert json.loads((tmp_path / "out" / "screening.json").read_text())["rejected"] == {"missing_answer": 1}
    (lost,) = (tmp_path / "out" / "rejections.jsonl").read_text().splitlines()
    assert json.loads(lost)["item_id"] == "row 121"
    assert str(tmp_path) not in "".join(p.read_text() for p in (tmp_path / "out").iterdir())
    again = run(tmp_path, str(path), "--json", "--out", str(tmp_path / "again"))
    assert again.stdout == found.stdout
    for name in ("screening.html", "screening.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_the_example_of_the_docs_is_read_as_the_docs_say(tmp_path: Path) -> None:
    write_example(tmp_path / "example.json")
    items, rejections = read_items(tmp_path / "example.json")
    assert Counter(item.cell for item in items) == {"diagnosis": 300, "morphology": 300, "site": 299}
    assert [(row.item_id, row.reason) for row in rejections] == [("site-none-000299", "missing_answer")]
    shown = (Path(__file__).parents[2] / "docs" / "screening.md").read_text(encoding="utf-8")
    assert "1 left out: missing answer, e.g. site-none-000299: no answer" in shown


def test_a_clean_file_exits_with_0_and_shows_a_table(tmp_path: Path) -> None:
    found = run(tmp_path, str(benchmark(tmp_path / "bench.json", "none", 0.0)))
    assert found.exit_code == 0
    assert "strongest reader" in found.stdout
    assert "1 left out: missing answer" in found.stdout


def test_a_dry_run_says_how_the_file_is_read_and_what_an_endpoint_would_cost(tmp_path: Path) -> None:
    path = benchmark(tmp_path / "bench.json", "none", 0.0)
    config = tmp_path / "asked.yaml"
    config.write_text(
        "endpoint:\n  endpoint: {base_url: 'http://127.0.0.1:9/v1', model: big, prices: {input: 1, output: 2}}\n"
        "  modes: [letters]\n"
    )
    arguments = [str(path), "--dry-run", "--out", str(tmp_path / "out"), "--config", str(config)]
    found = CliRunner().invoke(command, arguments)
    assert found.exit_code == 0
    assert "120 questions of 120 groups in 1 cells; 1 left out" in found.stdout
    first = json.loads(path.read_text())[0]
    assert f"* {first['answer']}  {first['options'][LETTERS.index(first['answer'])]}" in found.stdout.splitlines()
    assert f"row 1, group of its own, type all: {first['question']}" in found.stdout
    assert "big: 480 calls (0 are answered already)" in found.stdout
    as_json = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).stdout)
    assert as_json["endpoint"]["calls"] == 480
    assert as_json["first"]["key"] == LETTERS.index(first["answer"])
    assert as_json["endpoint"]["cost"] > 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.json", None, "gone.json is not a file"),
        ("cut.json", '[{"question": "x", ', "cut.json is not JSON"),
        ("table.csv", "question,answer\n", "are not read"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SystemExit) as stopped:
        main(["screen", str(tmp_path / name)])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
