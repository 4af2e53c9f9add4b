"""`slidesmith screen`: text-only leakage screening of any multiple-choice file."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from flows.commands.options import json_option

_FAILED = 3


@click.command(name="screen")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for screening.html, screening.json, rejections.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML of a `screening` section.")
@click.option("--question", help="Column of the question.  [default: found by name]")
@click.option("--options", help="Column of the options, or a comma-separated column per option.")
@click.option("--answer", help="Column of the answer: letter, index or text.")
@click.option("--group", help="Column of the patient or slide: kept whole in folds and intervals.")
@click.option("--type", "kind", help="Column of the question type: judged part by part.")
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
    as_json: bool,
) -> None:
    """Screen FILE (JSON, JSONL or Parquet): can its questions be answered without the image?

    Fitted readers are trained on the text alone, out of fold. Exits 3 if a part of the file is answered above chance.
    """
    from flows.config import load_section
    from tasks.screening.config import ScreeningConfig
    from tasks.screening.formats import read_items
    from tasks.screening.report import full_report, result_rows, terminal_report, write_html
    from tasks.screening.screen import screen

    config = load_section(config_file, ScreeningConfig, "screening")
    columns = tuple(options.split(",")) if options and "," in options else options
    items, rejections = read_items(file, question=question, options=columns, answer=answer, group=group, type=kind)
    screening = screen(items, config)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        write_html(out / "screening.html", [screening], rejections, title=f"Leakage screening of {file.name}")
        report = json.dumps(full_report([screening], rejections), indent=1, sort_keys=True, ensure_ascii=False)
        (out / "screening.json").write_text(report, encoding="utf-8")
    if as_json:
        found = {"results": result_rows(screening), "summary": screening.summary(), "rejected": len(rejections)}
        click.echo(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False))
    else:
        color = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if color else 110
        click.echo(terminal_report(screening, rejections, color=color, width=width), nl=False)
    if screening.failing:
        sys.exit(_FAILED)
