"""`slidesmith run`: the whole curation from a configuration file."""

from __future__ import annotations

from pathlib import Path

import click

from flows.commands.options import json_option, quiet_prefect, run_options, say


@click.command(name="run")
@run_options("Print shards to do and done, calls, tokens and cost; send nothing.")
@json_option
def command(config_file: Path, out: Path | None, dry_run: bool, verbose: bool, as_json: bool) -> None:
    """Run the whole curation: tile, graph, generate, screen, review, release, train, report.

    Interrupted or killed, the same command continues; with nothing changed it does nothing.
    """
    from flows.config import load_config

    config = load_config(config_file, **({"out": str(out.absolute())} if out else {}))
    if dry_run:
        from flows.dry_run import dry_run_lines

        result, lines = dry_run_lines(config)
    else:
        from flows.session import run_curation

        quiet_prefect(verbose)
        result, lines = run_curation(config)
    say(result, as_json, lines)
