"""`slidesmith review users`: who may sign in."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import click

from flows.commands.options import json_option, say
from flows.commands.review.place import EXTRA, desk_file, out_option


def _accounts() -> ModuleType:
    from schemas.errors import MissingExtraError

    try:
        from review_app import accounts
    except ImportError as error:
        raise MissingExtraError("users and their passwords need argon2-cffi", remedy=EXTRA) from error
    return accounts


@click.group(name="users")
def users() -> None:
    """Who may sign in to the annotators' page."""


@users.command(name="add")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["annotator", "adjudicator", "admin"]), default="annotator", show_default=True
)
@click.option("--no-password", is_flag=True, help="Only a reverse proxy lets this user in.")
@out_option
def add(name: str, role: str, no_password: bool, out: Path) -> None:
    """Add NAME, or give NAME a new role and password; the password is asked for, or read from standard input."""
    from tasks.review.desk import open_desk

    with open_desk(desk_file(out)) as desk:
        if no_password:
            password = None
        elif sys.stdin.isatty():
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        _accounts().add_user(desk, name, role, password)
    click.echo(f"{name} may sign in as {role}")


@users.command(name="remove")
@click.argument("name")
@out_option
def remove(name: str, out: Path) -> None:
    """Keep NAME out from now on; what NAME said stays in the log."""
    from tasks.review.desk import open_desk

    with open_desk(desk_file(out)) as desk:
        _accounts().deactivate(desk, name)
    click.echo(f"{name} may no longer sign in")


@users.command(name="list")
@out_option
@json_option
def list_users(out: Path, as_json: bool) -> None:
    """List users and roles."""
    from tasks.review.desk import open_desk

    with open_desk(desk_file(out)) as desk:
        found = _accounts().users(desk)
    rows = [{"name": user.name, "role": user.role, "active": user.active} for user in found]
    lines = [f"{user.name:<34}{user.role:<13}{'' if user.active else 'inactive'}" for user in found]
    say({"users": rows}, as_json, lines or ["nobody; add users with `slidesmith review users add NAME`"])
