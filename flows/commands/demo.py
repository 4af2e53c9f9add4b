"""`slidesmith demo`: everything, on synthetic slides with known truth."""

from __future__ import annotations

from pathlib import Path

import click

from flows.commands.options import json_option, quiet_prefect, say


@click.command(name="demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo-out"), show_default=True, help="Folder for all."
)
@click.option("--slides", type=click.IntRange(6, 1000), default=24, show_default=True, help="Synthetic slides to make.")
@click.option("--dry-run", is_flag=True, help="Print what would be done and what is done already.")
@click.option("--verbose", is_flag=True, help="Show Prefect's log.")
@json_option
def command(out: Path, slides: int, dry_run: bool, verbose: bool, as_json: bool) -> None:
    """Draw synthetic slides and reports, curate them, release 1.0.0, train from it and evaluate.

    No key, no server to start, no download. Run again, it does only what has changed.
    """
    from flows.config import load_config
    from tasks.settings import ROOT

    inputs = out.absolute() / "input"
    paths = {"slides": inputs / "slides", "manifest": inputs / "manifest.csv", "out": out.absolute()}
    demo = {"slides": slides, "patients": max(3, slides // 2)}
    config = load_config(ROOT / "demo" / "config.yaml", demo=demo, **{key: str(path) for key, path in paths.items()})
    if dry_run:
        from flows.dry_run import dry_run_lines

        result, lines = dry_run_lines(config)
    else:
        from flows.session import run_curation

        quiet_prefect(verbose)
        result, lines = run_curation(config)
    say(result, as_json, lines)
