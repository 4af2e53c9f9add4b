"""`slidesmith screen`: text-only leakage screening of any multiple-choice file."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.commands.options import json_option, say

if TYPE_CHECKING:
    from schemas.records import Rejection
    from tasks.screening.config import ScreeningConfig
    from tasks.screening.items import Item
    from tasks.screening.screen import Screening

_FAILED = 3


@click.command(name="screen")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for screening.html, .json and rejections.jsonl.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML of a `screening` section.")
@click.option("--question", help="Column of the question.  [default: found by name]")
@click.option("--options", help="Column of the options, or a comma-separated column per option.")
@click.option("--answer", help="Column of the answer: letter, index or text.")
@click.option("--group", help="Column of the patient or slide: kept whole in folds and intervals.")
@click.option("--type", "kind", help="Column of the question type: judged part by part.")
@click.option("--dry-run", is_flag=True, help="Print how the file is read, and what an endpoint would be asked.")
@json_option
def command(
    file: Path,
    out: Path | None,
    config_file: Path | None,
    question: str | None,
    options: str | None,
    answer: str | None,
    group: str | None,
    kind: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Screen FILE (JSON, JSONL or Parquet): can its questions be answered without the image?

    Fitted readers are trained on the text alone, out of fold. Exits 3 if a part of the file is answered above chance.
    """
    from flows.config import load_section
    from tasks.screening.config import ScreeningConfig
    from tasks.screening.formats import read_items
    from tasks.screening.outside import outside_readers
    from tasks.screening.report import result_rows
    from tasks.screening.screen import screen
    from tasks.screening.terminal import terminal_report

    config = load_section(config_file, ScreeningConfig, "screening")
    columns = tuple(map(str.strip, options.split(","))) if options and "," in options else options
    items, rejections = read_items(file, question=question, options=columns, answer=answer, group=group, type=kind)
    asked = out / "endpoint" if out else None
    if dry_run:
        plan, lines = _plan(items, rejections, config, asked)
        say(plan, as_json, lines)
        return
    if out:
        out.mkdir(parents=True, exist_ok=True)
    with _telling(f"reading {len(items):,} questions without their images"):
        screening = screen(items, config, outside_readers(config, asked))
    if out:
        _write(out, screening, rejections, file.name)
    if as_json:
        found = {"results": result_rows(screening), "summary": screening.summary(), "rejected": len(rejections)}
        click.echo(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False))
    else:
        color = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if color else 110
        click.echo(terminal_report(screening, rejections, color=color, width=width), nl=False)
    if screening.failing:
        sys.exit(_FAILED)


def _telling(what: str) -> AbstractContextManager[object]:
    """Return what shows on a terminal that something is being done; nothing in a pipe."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(what) if console.is_terminal else nullcontext()


def _write(out: Path, screening: Screening, rejections: Sequence[Rejection], name: str) -> None:
    from tasks.screening.report import full_report, write_html

    write_html(out / "screening.html", [screening], rejections, title=f"Leakage screening of {name}")
    report = json.dumps(full_report([screening], rejections), indent=1, sort_keys=True, ensure_ascii=False)
    (out / "screening.json").write_text(report + "\n", encoding="utf-8")
    rows = [json.dumps(asdict(row), sort_keys=True, ensure_ascii=False) + "\n" for row in rejections]
    (out / "rejections.jsonl").write_text("".join(rows), encoding="utf-8")


def _example(item: Item) -> list[str]:
    """Return one question as it was understood, the key marked: a wrong column, or keys off by one, show at once."""
    from tasks.screening.items import LETTERS

    options = [
        f"{'*' if place == item.key else ' '} {LETTERS[place]}  {text}" for place, text in enumerate(item.options)
    ]
    return [f"{item.item_id}, group {item.group or 'of its own'}, type {item.cell}: {item.question}", *options]


def _plan(
    items: Sequence[Item], rejections: Sequence[Rejection], config: ScreeningConfig, asked: Path | None
) -> tuple[dict[str, Any], list[str]]:
    """Return what would be read, and what asking an endpoint would cost: as data and as lines."""
    cells = {item.cell for item in items}
    groups = {item.group or f"alone {place}" for place, item in enumerate(items)}
    found: dict[str, Any] = {"items": len(items), "groups": len(groups), "cells": sorted(cells)}
    found |= {"rejected": len(rejections), "first": asdict(items[0]), "endpoint": None}
    lines = [
        f"{len(items):,} questions of {len(groups):,} groups in {len(cells):,} cells; {len(rejections):,} left out",
        *_example(items[0]),
    ]
    if config.endpoint is not None:
        from tasks.screening.endpoint_reader import endpoint_readers, estimate

        cost = estimate(endpoint_readers(config.endpoint, asked), items)
        found["endpoint"] = asdict(cost)
        price = "price unknown" if cost.cost is None else f"about {cost.cost:.2f}"
        lines.append(
            f"{config.endpoint.endpoint.model}: {cost.calls:,} calls ({cost.stored:,} are answered already), about"
            f" {cost.prompt_tokens:,} tokens of prompts, at most {cost.completion_tokens:,} of answers, {price}"
        )
    return found, lines
