"""Documents as tests read them: the commands in them, what they print, and the files that they have one write."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from click.testing import CliRunner

from flows.cli import cli, main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^(<!-- not run in tests: .+ -->\n\n)?```(\w*)( title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)
_ITEM = re.compile(r"\b(mcq|reason|cap|pert)_[0-9a-f]{20}\b")
_HEX = re.compile(r"[0-9a-f]{16,}")
_NUMBER = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True)
class Step:
    """What a reader of a page does next: writes a file, or gives a command and reads what it prints."""

    file: str = ""
    text: str = ""
    command: str = ""
    printed: tuple[str, ...] = ()
    run: bool = True


def steps(page: Path) -> Iterator[Step]:
    """Yield files and commands of a page, in order."""
    for skipped, language, _, title, body in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if title:
            yield Step(file=title, text=body)
        elif language == "console":
            for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
                command, *printed = part.rstrip("\n").split("\n")
                yield Step(command=command, printed=tuple(printed), run=not skipped)
        elif language in {"", "sh"}:
            for line in body.replace("\\\n", " ").splitlines():
                if "   " not in line.partition("#")[0].rstrip():  # three spaces: a table of verbs, not a command
                    yield Step(command=line, run=False)


def fault(command: str) -> str:
    """Return what is wrong with a command, without running it; nothing where no part of the project is called."""
    try:
        words = shlex.split(re.split(r" (?:\|\||&&|\|) ", command)[0], comments=True)
    except ValueError:
        return ""
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        words.pop(0)
    program, *arguments = [*words, ""]
    arguments = arguments[:-1]
    if Path(program).name == "slidesmith":
        return _fault_of_verb(arguments)
    if program == "make" and arguments:
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        return "" if arguments[0] in targets else f"no target {arguments[0]}"
    if Path(program).name == "prefect":
        held = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
        named = [word.partition("/")[2] for word in arguments if re.fullmatch(r"[\w-]+/[\w-]+", word)]
        return "".join(f"no deployment {name}" for name in named if name not in {one["name"] for one in held})
    if Path(program).name == "python" and arguments[:1] == ["-m"] and arguments[1].startswith("benchmarks"):
        module = ROOT / arguments[1].replace(".", "/")
        return "" if module.is_dir() or module.with_suffix(".py").is_file() else f"no module {arguments[1]}"
    return ""


def _fault_of_verb(arguments: list[str]) -> str:
    context, command, rest = click.Context(cli, info_name="slidesmith"), cli, list(arguments)
    found: click.Command | None = command
    while isinstance(found, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = found.get_command(context, name)
        if found is None:
            return f"no verb {name}"
        context = click.Context(found, info_name=name, parent=context)
    if isinstance(found, click.Group) or found is None:
        return ""
    try:
        found.make_context(found.name, rest, parent=context.parent)
    except click.exceptions.Exit:
        return ""
    except click.UsageError as error:
        return error.format_message()
    return ""


def carry_out(page: Path, folder: Path, items: dict[str, str]) -> None:
    """Do what a page says in a folder, which is the working directory; `items` has an id for each prefix of ids.

    Raises:
        AssertionError: a command prints something else than the page says, numbers and digests apart.
    """
    for step in steps(page):
        if step.file:
            (folder / step.file).write_text(step.text, encoding="utf-8")
        elif step.run:
            printed = _print_of(_ITEM.sub(lambda found: items[found[1]], step.command), folder)
            assert _agrees(list(step.printed), printed.splitlines()), f"{page.name}: {step.command}\n{printed}"


def _print_of(command: str, folder: Path) -> str:
    program, *arguments = shlex.split(command)
    if program == "python":
        done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout
    assert program == "slidesmith", f"a page's test runs slidesmith and python, not {program}"

    @click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def called(words: tuple[str, ...]) -> None:
        main(list(words))

    result = CliRunner().invoke(called, arguments, catch_exceptions=False)
    assert result.exit_code in {0, 3}, f"{command}: {result.output}"
    return result.stdout


def _masked(line: str) -> str:
    return " ".join(_NUMBER.sub("#", _HEX.sub("#", line)).split())


def _agrees(page: list[str], printed: list[str]) -> bool:
    """Return whether lines are those of the page, numbers, digests and spaces apart; `...` stands for any lines."""
    rest = [_masked(line) for line in printed if line.strip()]
    loose = not page
    for line in (_masked(line) for line in page if line.strip()):
        if line == "...":
            loose = True
            continue
        while loose and rest and rest[0] != line:
            rest.pop(0)
        if rest[:1] != [line]:
            return False
        rest.pop(0)
        loose = False
    return loose or not rest
