"""`slidesmith release`: versions of datasets."""

from __future__ import annotations

import click

from flows.commands.release.handing_on import export, pull
from flows.commands.release.publishing import delete, publish, retract, tag
from flows.commands.release.reading import diff, list_, show, verify


@click.group(name="release")
def command() -> None:
    """Versions of datasets: a version never changes, and every byte can be verified."""


for verb in (publish, list_, show, diff, verify, pull, export, tag, retract, delete):
    command.add_command(verb)
