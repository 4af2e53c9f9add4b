"""`slidesmith train`: train from a release folder."""

from __future__ import annotations

from pathlib import Path

import click

from flows.commands.options import json_option, say


@click.group(name="train")
def command() -> None:
    """Train from a release; it needs the release folder and nothing of how it was made."""


@command.command(name="contrastive")
@click.argument("release", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for checkpoint and history.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML of a `training` section.")
@json_option
def contrastive(release: Path, out: Path, config_file: Path | None, as_json: bool) -> None:
    """Train image and text encoders with hard negatives (PathoHR); interrupted, the same command continues."""
    from flows.config import load_section
    from flows.progress import progress
    from training.config import TrainingConfig
    from training.contrastive import train_contrastive

    config = load_section(config_file, TrainingConfig)
    with progress("train", 100) as advance:
        result = train_contrastive(release, out, config, lambda step, steps, _: advance(100 * step // steps))
    facts = {"checkpoint": str(result.checkpoint), "history": str(result.history)}
    say(
        facts, as_json, [f"checkpoint  {result.checkpoint}", f"next: slidesmith evaluate {release} {result.checkpoint}"]
    )
