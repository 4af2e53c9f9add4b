"""`kg export`: the graph in the forms of others."""

from __future__ import annotations

from pathlib import Path

import click

from flows.commands.kg.choice import FOLDER, concepts, graph_option, load
from flows.commands.options import json_option, say


@click.command(name="export")
@click.option("--html", type=FOLDER, help="Page that draws the neighbourhood of --concept.")
@click.option("--concept", "name", help="For --html: a CURIE or a name.")
@click.option("--limit", type=click.IntRange(1, 200), default=28, show_default=True, help="For --html: neighbours.")
@click.option("--turtle", type=FOLDER, help="Turtle file with PROV-O.")
@click.option("--kgx", type=FOLDER, help="Folder for KGX nodes.tsv and edges.tsv.")
@graph_option
@json_option
def export(
    html: Path | None,
    name: str | None,
    limit: int,
    turtle: Path | None,
    kgx: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Write the graph as Turtle or KGX tables, or a concept's neighbourhood as a page."""
    from kg.export import to_kgx, to_turtle
    from kg.view import neighbourhood_html
    from schemas.errors import InputError

    if not (html or turtle or kgx):
        raise InputError("nothing to export to", remedy="give --html FILE --concept NAME, --turtle FILE or --kgx DIR")
    if html and not name:
        raise InputError("--html draws the neighbourhood of one concept", remedy="give --concept NAME")
    graph = load(folder)
    written = {}
    if html and name:
        html.parent.mkdir(parents=True, exist_ok=True)
        (curie,) = concepts(graph, folder, [name])
        html.write_text(neighbourhood_html(graph, curie, limit=limit), encoding="utf-8")
        written["html"] = html.name
    if turtle:
        to_turtle(graph, turtle)
        written["turtle"] = turtle.name
    if kgx:
        to_kgx(graph, kgx)
        written["kgx"] = kgx.name
    say(written, as_json, [f"{form:<8}{file}" for form, file in written.items()])
