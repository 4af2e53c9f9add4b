"""`kg link`: concepts in a text."""

from __future__ import annotations

from pathlib import Path

import click

from flows.commands.kg.choice import graph_option, lexicon_of, load
from flows.commands.options import json_option, say


@click.command(name="link")
@click.argument("text")
@click.option("--section", help="Section title that the text stands under.")
@graph_option
@json_option
def link(text: str, section: str | None, folder: Path | None, as_json: bool) -> None:
    """Link the concepts of TEXT (or of a file: @report.txt), with their status."""
    from kg.link import Linker
    from schemas.errors import InputError

    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{text[1:]} cannot be read as UTF-8 text", remedy="name a text file") from error
    links = Linker(lexicon_of(load(folder), folder)).link(text, section=section)
    names = ("start", "end", "surface", "concept_id", "label", "category", "status")
    rows = [{name: getattr(item, name) for name in names} | {"candidates": list(item.candidates)} for item in links]
    lines = [f"{row['status']:<10}{row['surface']:<32}{row['concept_id']:<40}{row['label']}" for row in rows]
    say({"links": rows}, as_json, lines or ["no concept found"])
