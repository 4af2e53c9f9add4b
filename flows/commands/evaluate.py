"""`slidesmith evaluate`: a trained model on held-out patients, with its blind controls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from flows.commands.options import json_option, say


@click.command(name="evaluate")
@click.argument("release", type=click.Path(path_type=Path))
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--split", type=click.Choice(["val", "test"]), default="test", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write the whole evaluation as JSON here.")
@json_option
def command(release: Path, checkpoint: Path, split: Literal["val", "test"], out: Path | None, as_json: bool) -> None:
    """Evaluate CHECKPOINT on the held-out patients of RELEASE.

    A model that does not beat its blind control (no image, shuffled images) fails loudly.
    """
    from training.evaluate import evaluate

    scores = evaluate(release, checkpoint, split=split)
    if out:
        out.write_text(json.dumps(scores, indent=1, sort_keys=True), encoding="utf-8")
    say(scores, as_json, evaluation_lines(scores))


def evaluation_lines(scores: dict[str, Any]) -> list[str]:
    """Return a table of overall accuracies with their 95% intervals, blind controls beside them."""
    lines = [f"{'measure':<18}{'input':<20}{'accuracy':>10}{'95% interval':>18}{'n':>8}"]
    for measure in ("pairwise", "multiple_choice"):
        inputs = {"image": scores, "no image": scores["blind"], "shuffled images": scores["blind"]["shuffled"]}
        for name, row in ((name, table[measure]) for name, table in inputs.items()):
            low, high = row["interval"]
            lines.append(
                f"{measure:<18}{name:<20}{row['accuracy']:>10.3f}{f'{low:.3f} to {high:.3f}':>18}{row['n']:>8}"
            )
    return lines
