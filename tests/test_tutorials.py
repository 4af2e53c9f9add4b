"""Commands in the documents: every one is understood by the command line, and what is cheap is carried out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import PAGES, ROOT, carry_out, fault, steps

_INLINE = re.compile(r"`(?:\.venv/bin/)?(slidesmith [a-z][^`]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_documents_is_understood(page: Path) -> None:
    faults = {step.command: fault(step.command) for step in steps(page) if step.command}
    assert {command: said for command, said in faults.items() if said} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_named_in_the_text_exist(page: Path) -> None:
    for command in _INLINE.findall(page.read_text(encoding="utf-8")):
        said = fault(command.replace("[", "").replace("]", "").split(" | ")[0])
        assert "No such option" not in said, command
        assert not said.startswith("no verb"), command


def test_a_command_that_the_command_line_does_not_know_is_found() -> None:
    assert "No such option" in fault("slidesmith release pull --into folder")
    assert "Missing option" in fault("slidesmith run --dry-run")
    assert fault("slidesmith release fetch") == "no verb fetch"
    assert fault("make everything") == "no target everything"
    assert fault("prefect deployment run curate/hourly") == "no deployment hourly"
    assert fault(".venv/bin/slidesmith run --config a.yaml --dry-run  # comment") == ""


def test_the_benchmark_author_gets_what_the_tutorial_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    carry_out(ROOT / "docs" / "tutorials" / "benchmark_author.md", tmp_path, {})
    assert (tmp_path / "found" / "screening.html").is_file()


def test_what_the_guide_asks_the_starter_graph_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [step.command for step in steps(ROOT / "docs" / "knowledge_graph.md") if "slidesmith kg" in step.command]
    asked = [command for command in commands if not re.search("--graph|--sources-dir|@", command)]
    assert {command.split()[2] for command in asked} >= {"link", "paths", "query", "export"}
    page = tmp_path / "page.md"
    page.write_text("```console\n" + "".join(f"$ {command}\n" for command in asked) + "```\n", encoding="utf-8")
    carry_out(page, tmp_path, {})
    assert (tmp_path / "neighbourhood.html").is_file()


@pytest.mark.parametrize("change", ["all     480", "exit"])
def test_a_page_that_says_something_else_than_the_command_prints_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.jsonl").write_text('{"question": "Which?", "options": ["a", "b"], "answer": "a"}\n' * 2)
    page = tmp_path / "page.md"
    said = "2 questions of 2 groups in 1 cells; 0 left out\n...\n"
    page.write_text(f"```console\n$ slidesmith screen two.jsonl --dry-run\n{said}```\n")
    carry_out(page, tmp_path, {})
    page.write_text(f"```console\n$ slidesmith screen two.jsonl --dry-run\n{said}{change}\n```\n")
    with pytest.raises(AssertionError, match="two.jsonl"):
        carry_out(page, tmp_path, {})
