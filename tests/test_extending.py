"""The worked examples of docs/extending.md, each carried out as it stands there on a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
PACKAGES = ("schemas", "kg", "tasks", "flows", "demo", "training", "review_app", "tests")
DOCUMENTS = (
    *("docs/generate.py", "docs/generate_reference.py", "docs/data_dictionary.md", "docs/configuration.md"),
    "pyproject.toml",
)
EXAMPLES = (
    "A slide format",
    "A question dimension",
    "A perturbation operator",
    "An ontology",
    "A reader of screening",
)
_BLOCK = re.compile(r"^(?:(?P<kind>[^\n]+):\n\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_COPIED = shutil.ignore_patterns("static", "data", "*.pyc.*")  # the last: being written by tests beside this one
_OF_THE_COPY = "python -c 'import os, schemas; assert schemas.__file__.startswith(os.getcwd())'"
_PLACE = re.compile(r"(New file|Change|Append to) `([^`]+)`")


@dataclass(frozen=True)
class Example:
    """What a section of the guide does: steps of (kind, path, text), the command, and what it prints."""

    steps: list[tuple[str, str, str]]
    command: str
    printed: list[str]


def read_example(title: str) -> Example:
    section = GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    steps: list[tuple[str, str, str]] = []
    commands: list[str] = []
    printed: list[str] = []
    for block in _BLOCK.finditer(section):
        place = _PLACE.fullmatch(block["kind"] or "")
        if place is not None:
            steps.append((place[1], place[2], block["text"]))
        elif block["kind"] == "Run":
            commands.append(block["text"])
        else:
            assert block["kind"] == "It prints", f"{title}: a block without a place: {block['text'][:60]}"
            printed += block["text"].splitlines()
    assert len(commands) == 1, title
    return Example(steps, commands[0], printed)


def change(text: str, diff: str) -> str:
    """Return a text with every hunk of a diff applied; what a hunk replaces must stand in it exactly once."""
    text = f"\n{text}"
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines()
        old, new = (
            "".join(f"\n{line[1:]}" for line in lines if line[:1] not in left_out) + "\n" for left_out in ("+", "-")
        )
        assert text.count(old) == 1, f"found {text.count(old)} times:{old}"
        text = text.replace(old, new)
    return text[1:]


def carry_out(steps: list[tuple[str, str, str]], project: Path) -> None:
    for kind, path, text in steps:
        file = project / path
        assert file.exists() == (kind != "New file"), f"{kind} {path}"
        file.parent.mkdir(exist_ok=True)
        if kind == "Change":
            text = change(file.read_text(encoding="utf-8"), text)  # noqa: PLW2901
        elif kind == "Append to":
            text = file.read_text(encoding="utf-8") + text  # noqa: PLW2901
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of everything that an example may touch, with compiled modules: they stay valid by their times."""
    copy = tmp_path / "project"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=_NOT_COPIED)
    for name in DOCUMENTS:
        (copy / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


def run(command: str, project: Path) -> str:
    """Return what a command prints; `python` and `slidesmith` are those of the copy."""
    binaries = project / "bin"
    binaries.mkdir()
    for name, arguments in (("python", ""), ("slidesmith", " -m flows.cli")):
        (binaries / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        (binaries / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "PYTHONPATH": str(project)}
    script = f"set -euo pipefail\n{_OF_THE_COPY}\n{command}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=project, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def missing(printed: list[str], output: str) -> list[str]:
    """Return the lines of the guide that do not come in the output, in this order; spaces count as one."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    return [line for line in printed if not any(" ".join(line.split()) in found for found in lines)]


def test_the_guide_has_no_other_sections() -> None:
    titles = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    assert titles == ["What is expected of every extension", *EXAMPLES]


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_of_the_guide_works_as_it_stands_there(title: str, project: Path) -> None:
    example = read_example(title)
    carry_out(example.steps, project)
    output = run(example.command, project)
    assert example.printed
    assert missing(example.printed, output) == [], output


def test_paths_and_names_in_the_text_exist() -> None:
    made = {path for title in EXAMPLES for kind, path, _ in read_example(title).steps if kind == "New file"}
    prose = re.sub(_BLOCK, "", GUIDE)
    for path in re.findall(r"`((?:[a-z_]+/)+[a-z_.]*)`", prose):
        assert path in made or (ROOT / path).exists(), path
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tasks").rglob("*.py"))
    sources += "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    sources += "".join(file.read_text(encoding="utf-8") for file in (ROOT / "schemas").rglob("*.py"))
    for name in set(re.findall(r"`([A-Z][A-Z_]+|[A-Z][a-z]+[A-Z]\w+)`", prose)):
        assert re.search(rf"\b{name}\b", sources), name
