"""`slidesmith review`: flagged items and annotators' decisions, as logs of events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from flows.commands.options import json_option, say


@click.group(name="review")
def command() -> None:
    """Flagged items and annotators' decisions, as hash-chained logs of events."""


@command.command(name="status")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo-out"), show_default=True, help="A run's folder."
)
@json_option
def status(out: Path, as_json: bool) -> None:
    """Say how many items are flagged, decided and open, and verify both logs."""
    from schemas.errors import InputError
    from tasks.review.decisions import read_decisions, rulings
    from tasks.review.events import payload_of, read_events, verify_chain

    queue_file = out / "review" / "queue.jsonl"
    if not queue_file.is_file():
        raise InputError(f"{out} has no review queue", remedy="name the folder of a run that went as far as review")
    queue = read_events(queue_file)
    verify_chain(queue)
    decided = rulings(read_decisions(out / "review" / "decisions.jsonl"))
    outcomes = Counter(decided[event.item_id].outcome if event.item_id in decided else "open" for event in queue)
    rows = [
        {
            "item_id": event.item_id,
            **payload_of(event),
            "state": decided[event.item_id].outcome if event.item_id in decided else "open",
        }
        for event in queue
    ]
    lines = [f"{len(queue)} flagged", *(f"  {name:<12}{number:>6}" for name, number in sorted(outcomes.items())), ""]
    for row in rows[:20]:
        reason = row["reasons"][0] if row["reasons"] else {"reader": "", "p": 0.0, "cue": ""}
        lines.append(f"{row['item_id']}  {row['state']:<10}{reason['reader']} p={reason['p']:.2f} by {reason['cue']}")
    if len(rows) > 20:
        lines.append(f"... and {len(rows) - 20} more in {queue_file}")
    say({"flagged": len(queue), "states": dict(outcomes), "items": rows}, as_json, lines)


@command.command(name="export")
@click.argument("log", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@json_option
def export(log: Path, target: Path, as_json: bool) -> None:
    """Verify a LOG of events and export it to TARGET as the Parquet table `review_events`."""
    from schemas.arrow import to_table
    from schemas.records import ReviewEvent
    from tasks.review.events import read_events, verify_chain
    from tasks.store import write_parquet

    events = read_events(log)
    verify_chain(events)
    write_parquet(to_table(events, ReviewEvent), target)
    say({"events": len(events), "file": str(target)}, as_json, [f"{len(events)} events in {target}"])
