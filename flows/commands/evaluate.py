"""`slidesmith evaluate`: a trained model, or any vision endpoint, on held-out patients with its blind controls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from flows.commands.options import json_option, say
from schemas.errors import InputError, StageFailedError

if TYPE_CHECKING:
    from tasks.endpoint.client import Outcome

FILE = click.Path(path_type=Path)


@click.command(name="evaluate")
@click.argument("release", type=FILE)
@click.argument("checkpoint", type=FILE, required=False)
@click.option("--endpoint", type=FILE, help="YAML of an OpenAI-compatible vision endpoint, instead of CHECKPOINT.")
@click.option("--limit", type=click.IntRange(min=1), help="With --endpoint: most questions and most pairs asked.")
@click.option("--work", type=FILE, default="evaluation", show_default=True, help="Endpoint's stored answers, ledger.")
@click.option("--dry-run", is_flag=True, help="With --endpoint: say what would be asked and what it would cost.")
@click.option("--split", type=click.Choice(["val", "test"]), default="test", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of shuffled images and of what is drawn.")
@click.option("--out", type=FILE, help="Write the whole evaluation as JSON here.")
@click.option("--html", type=FILE, help="Write it as a page with plots here.")
@json_option
def command(
    release: Path, checkpoint: Path | None, endpoint: Path | None, limit: int | None, work: Path, dry_run: bool,
    split: Literal["val", "test"], seed: int, out: Path | None, html: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Evaluate CHECKPOINT, or a vision endpoint, on the held-out patients of RELEASE.

    A model that does not beat its blind control (no image, shuffled images) fails loudly.
    """
    from training.evaluate import measure, require_sight

    if (checkpoint is None) == (endpoint is None):
        raise InputError("one model is evaluated at a time", remedy="give CHECKPOINT or --endpoint FILE")
    if endpoint is not None:
        scores = _ask(release, endpoint, work, split=split, limit=limit, seed=seed, dry_run=dry_run)
        if dry_run:
            say(scores, as_json, [f"{name}  {value}" for name, value in scores.items()])
            return
    elif checkpoint is not None:
        scores = measure(release, checkpoint, split=split, seed=seed)
    if out:
        out.write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")
    if html:
        from training.report_page import evaluation_page

        html.write_text(evaluation_page(scores), encoding="utf-8")
    require_sight(scores)
    say(scores, as_json, evaluation_lines(scores))


def _ask(
    release: Path, endpoint: Path, work: Path, *, split: Literal["val", "test"], limit: int | None, seed: int,
    dry_run: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the report of an endpoint, or the estimate of what asking it costs."""
    from dataclasses import asdict

    from flows.config import load_section
    from tasks.endpoint.answers import Answer
    from tasks.endpoint.client import Endpoint
    from tasks.endpoint.config import EndpointConfig
    from tasks.endpoint.requests import Message, Request
    from training.ask import Asking
    from training.release import Release

    client = Endpoint(load_section(endpoint, EndpointConfig, "endpoint"), work)
    asking = Asking(Release(release), split, limit=limit, seed=seed)
    requests = [
        Request(prompt.item_id, "evaluation", (Message("user", prompt.text, prompt.images),), max_tokens=16)
        for prompt in asking.prompts()
    ]
    if dry_run:
        return asdict(client.estimate(requests))
    outcomes = client.ask(requests)
    _require_answers(outcomes)
    report = asking.report([outcome.text if isinstance(outcome, Answer) else None for outcome in outcomes])
    return {"model": client.config.model, **report}


def _require_answers(outcomes: Sequence[Outcome]) -> None:
    """Refuse an evaluation in which prompts were not answered: in one control alone they would pass for a difference.

    Raises:
        StageFailedError: prompts were never sent, or the endpoint failed on them.
    """
    failed = Counter(str(getattr(outcome, "reason", "answered")) for outcome in outcomes)
    unreached = {reason: failed[reason] for reason in ("over_budget", "endpoint_failed") if failed[reason]}
    if unreached:
        why = ", ".join(f"{reason} {number:,}" for reason, number in unreached.items())
        raise StageFailedError(
            f"{sum(unreached.values()):,} of {len(outcomes):,} prompts got no answer: {why}",
            remedy="raise the budget or see to the endpoint, and run again: what was answered is kept",
        )


def evaluation_lines(scores: dict[str, Any]) -> list[str]:
    """Return a table of accuracies with their 95% intervals, the controls of each beside it."""
    lines = [f"{'measure':<18}{'input':<20}{'accuracy':>10}{'95% interval':>18}{'n':>8}"]
    inputs = {"image": scores, "no image": scores["blind"], "shuffled images": scores["blind"]["shuffled"]}
    for measure in ("pairwise", "multiple_choice"):
        lines += [_line(measure, name, table[measure]) for name, table in inputs.items()]
    if scores["pairwise"]["mirrored"]:
        lines += [_line("mirrored pairs", name, table["pairwise"]["mirrored"]) for name, table in inputs.items()]
    lines.append(_line("circular", "image", scores["multiple_choice"]["circular"]))
    for attribute, row in scores.get("zero_shot", {}).items():
        lines.append(_line("zero-shot", attribute, row))
        lines += [_line("", f"  {name}", row[key]) for name, key in _CONTROLS]
    for way in ("image_to_text", "text_to_image"):
        for depth, row in scores.get("retrieval", {}).get(way, {}).get("at", {}).items():
            lines.append(_line(f"recall at {depth}", way.replace("_", " "), row["image"]))
            lines += [_line("", f"  {name}", row[key]) for name, key in _CONTROLS]
    if unusable := sum(scores.get("unusable", {}).values()):
        lines.append(f"{unusable} answers named no option and count as wrong")
    return lines


_CONTROLS = (("no image", "blind"), ("shuffled images", "shuffled"))


def _line(measure: str, shown: str, row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{measure:<18}{shown:<20}{row['accuracy']:>10.3f}{f'{low:.3f} to {high:.3f}':>18}{row['n']:>8}"
