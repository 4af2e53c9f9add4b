"""`slidesmith review`: the annotators' page, and what came of it."""

from __future__ import annotations

import click

from flows.commands.review.exchange import pull, push
from flows.commands.review.looking import agreement, export, status
from flows.commands.review.people import users
from flows.commands.review.serving import serve


@click.group(name="review")
def command() -> None:
    """Flagged items and annotators' decisions, as hash-chained logs of events."""


for verb in (serve, status, agreement, export, users, push, pull):
    command.add_command(verb)
