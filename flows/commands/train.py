"""`slidesmith train`: train from a release folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.commands.options import json_option, say
from schemas.ids import content_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.judge import Judge
    from training.sft import TuningResult

FILE = click.Path(path_type=Path)


@click.group(name="train")
def command() -> None:
    """Train from a release; it needs the release folder and nothing of how it was made."""


@command.command(name="contrastive")
@click.argument("release", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder for checkpoint and history.")
@click.option("--config", "config_file", type=FILE, help="YAML of a `training` section.")
@json_option
def contrastive(release: Path, out: Path, config_file: Path | None, as_json: bool) -> None:
    """Train image and text encoders with hard negatives (PathoHR); interrupted, the same command continues."""
    from flows.config import load_section
    from flows.progress import progress
    from training.config import TrainingConfig
    from training.contrastive import train_contrastive

    config = load_section(config_file, TrainingConfig, "training")
    with progress("train", 100) as advance:
        result = train_contrastive(release, out, config, lambda step, steps, _: advance(100 * step // steps))
    facts = {
        "checkpoint": str(result.checkpoint),
        "history": str(result.history),
        "steps": result.steps,
        "finished": result.finished,
        "losses": result.losses,
        "waited": round(result.waited, 4),
    }
    ended = (
        f"next: slidesmith evaluate {release} {result.checkpoint}" if result.finished else "not finished: run it again"
    )
    waited = f"{result.waited:.1%} of the time of its steps"
    say(facts, as_json, [f"checkpoint  {result.checkpoint}", f"waited for data  {waited}", ended])


@command.command(name="sft")
@click.argument("release", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder for checkpoints and the tuned model.")
@click.option("--config", "config_file", type=FILE, required=True, help="YAML; it names at least `model`.")
@json_option
def sft(release: Path, out: Path, config_file: Path, as_json: bool) -> None:
    """Tune a language model on reasoning trajectories (PathReasoner); interrupted, the same command continues."""
    from flows.config import load_section
    from training.sft import train_sft
    from training.tuning_config import SftConfig

    _said(train_sft(release, out, load_section(config_file, SftConfig)), "loss", as_json)


@command.command(name="grpo")
@click.argument("release", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder for checkpoints and the tuned model.")
@click.option("--config", "config_file", type=FILE, required=True, help="YAML; it names at least `model`.")
@click.option("--judge", "judge_file", type=FILE, help="YAML of an OpenAI-compatible endpoint that grades reasoning.")
@json_option
def grpo(release: Path, out: Path, config_file: Path, judge_file: Path | None, as_json: bool) -> None:
    """Tune a language model by the project's rewards (GRPO); interrupted, the same command continues.

    The judge's answers and its ledger stay in OUT/judge.
    """
    from flows.config import load_section
    from training.grpo import train_grpo
    from training.tuning_config import GrpoConfig

    judge = _judge(judge_file, out / "judge") if judge_file else None
    _said(train_grpo(release, out, load_section(config_file, GrpoConfig), judge=judge), "reward", as_json)


def _judge(endpoint: Path, work: Path) -> Judge:
    """Return a judge that asks an endpoint; what was answered is never asked again."""
    from flows.config import load_section
    from tasks.endpoint.answers import Answer
    from tasks.endpoint.client import Endpoint
    from tasks.endpoint.config import EndpointConfig
    from tasks.endpoint.requests import Message, Request
    from training.judge import Judge

    client = Endpoint(load_section(endpoint, EndpointConfig, "endpoint"), work)

    def ask(prompts: Sequence[str]) -> list[str | None]:
        requests = [
            Request(content_id("judged", text), "evaluation", (Message("user", text),), max_tokens=16)
            for text in prompts
        ]
        return [outcome.text if isinstance(outcome, Answer) else None for outcome in client.ask(requests)]

    return Judge(ask)


def _said(result: TuningResult, measured: str, as_json: bool) -> None:
    """Say where the tuned model lies, and the first and last value of what was measured on the way."""
    curve = [row[measured] for row in result.history if measured in row]
    ends = {"first": curve[0], "last": curve[-1]} if curve else {}
    facts = {"model": str(result.model), "rows": result.rows, "left_out": result.left_out, measured: ends}
    facts |= {"unjudged": result.unjudged} if measured == "reward" else {}
    lines = [f"model     {result.model}", f"rows      {result.rows} ({result.left_out} too long)"]
    lines += [f"{measured:<10}{ends['first']:.4f} to {ends['last']:.4f} in {len(curve)} steps"] if ends else []
    lines += [f"{result.unjudged} completions got no grade from the judge"] if result.unjudged else []
    say(facts, as_json, lines)
