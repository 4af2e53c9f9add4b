"""`slidesmith release`: versions of datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flows.commands.options import json_option, say

Command = TypeVar("Command", bound=Callable[..., Any])


def _release_options(command: Command) -> Command:
    for option in (
        click.option("--store", type=click.Path(path_type=Path), default=Path("demo-out/store"), show_default=True),
        click.option("--dataset", default="slidesmith-demo", show_default=True),
        click.option("--version", "version", default="latest", show_default=True, help="Version or tag."),
    ):
        command = option(command)
    return command


@click.group(name="release")
def command() -> None:
    """Versions of datasets: a version never changes, and every byte can be verified."""


@command.command(name="publish")
@click.option("--config", "config_file", type=click.Path(path_type=Path), required=True, help="YAML of the run.")
@json_option
def publish(config_file: Path, as_json: bool) -> None:
    """Publish a finished run under its configured version; what passes the gate appears whole or not at all."""
    from flows.candidate import gather_candidate
    from flows.config import load_config
    from flows.plan import make_plan
    from tasks.releases.publish import publish as publish_candidate

    plan = make_plan(load_config(config_file))
    release = publish_candidate(gather_candidate(plan), plan.config.release, plan.release_store)
    facts = {"dataset": release.dataset, "version": release.version, "fingerprint": release.fingerprint}
    say(facts, as_json, [f"{release.dataset} {release.version}  {release.fingerprint}"])


@command.command(name="list")
@click.option("--store", type=click.Path(path_type=Path), default=Path("demo-out/store"), show_default=True)
@json_option
def list_(store: Path, as_json: bool) -> None:
    """List the releases of a store."""
    from tasks.releases.read import list_releases

    rows = [
        {"dataset": release.dataset, "version": release.version, "fingerprint": release.fingerprint}
        for release in list_releases(store)
    ]
    say(
        {"releases": rows},
        as_json,
        [f"{row['dataset']:<28}{row['version']:<12}{row['fingerprint'][:16]}" for row in rows],
    )


@command.command(name="show")
@_release_options
@json_option
def show(store: Path, dataset: str, version: str, as_json: bool) -> None:
    """Show a release: rows by table and split, files, fingerprint."""
    from tasks.releases.read import open_release
    from tasks.releases.read import show as describe

    release = open_release(store, dataset, version)
    lines = [f"{release.dataset} {release.version}  {release.fingerprint}", ""]
    for name, table in release.tables.items():
        splits = ", ".join(f"{split} {rows:,}" for split, rows in table["splits"].items())
        lines.append(f"{name:<16}{table['rows']:>10,}  {splits}")
    say(describe(release), as_json, lines)


@command.command(name="verify")
@_release_options
@json_option
def verify(store: Path, dataset: str, version: str, as_json: bool) -> None:
    """Hash every file again; a flipped byte anywhere is found."""
    from schemas.errors import StoreError
    from tasks.releases.read import open_release
    from tasks.releases.verify import verify as find_problems

    release = open_release(store, dataset, version)
    problems = find_problems(release)
    say(
        {"release": release.name, "problems": problems},
        as_json,
        problems or [f"{release.name}: every byte is as published"],
    )
    if problems:
        raise StoreError(f"{release.name} has {len(problems)} problems", remedy="pull or publish it again")
