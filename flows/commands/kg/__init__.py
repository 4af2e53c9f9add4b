"""`slidesmith kg`: the medical knowledge graph."""

from __future__ import annotations

import click

from flows.commands.kg.judging import agreement, validate
from flows.commands.kg.leaving import export
from flows.commands.kg.looking import paths, query, stats
from flows.commands.kg.making import build, fetch
from flows.commands.kg.text import link


@click.group(name="kg")
def command() -> None:
    """The medical knowledge graph: starter facts and ontologies, with a source on every edge."""


for verb in (fetch, build, stats, link, paths, query, validate, agreement, export):
    command.add_command(verb)
