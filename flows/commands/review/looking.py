"""`slidesmith review status|agreement|export`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.commands.options import json_option, say
from flows.commands.review.place import desk_file, out_option

_SHOWN = 20


@click.command(name="status")
@out_option
@json_option
def status(out: Path, as_json: bool) -> None:
    """Say how many items are flagged, read and decided, why items were rejected, and verify both logs."""
    from tasks.review.desk import open_desk
    from tasks.review.events import payload_of, read_events, verify_chain
    from tasks.review.journal import events_of, reasons_for_rejection

    with open_desk(desk_file(out)) as desk:
        queue = read_events(out / "review" / "queue.jsonl")
        verify_chain(queue, previous="")
        events = events_of(desk)
        verify_chain(events, previous="")
        states = {row["item_id"]: row["state"] for row in desk.execute("SELECT item_id, state FROM items WHERE open")}
        reasons = dict(reasons_for_rejection(desk))
        undecided = ("to_read", "second", "differ")
        rows = [
            {"item_id": event.item_id, **payload_of(event), "state": states.get(event.item_id, "to_read")}
            for event in queue
        ]
    flagged = sum(any(reason["reader"] != "audit" for reason in row["reasons"]) for row in rows)
    counts = Counter(row["state"] for row in rows)
    result = {
        "items": len(rows),
        "flagged": flagged,
        "audited": len(rows) - flagged,
        "states": dict(counts),
        "events": len(events),
        "rejections": reasons,
        "queue": rows,
    }
    audited = len(rows) - flagged
    lines = [f"{len(rows)} items: {flagged} flagged, {audited} drawn at random; {len(events)} events, chain holds"]
    lines += [f"  {name.replace('_', ' '):<12}{number:>6}" for name, number in sorted(counts.items())]
    lines += [f"  rejected because {reason}: {number}" for reason, number in reasons.items()]
    lines += ["", *_waiting([row for row in rows if row["state"] in undecided])]
    say(result, as_json, lines)


def _waiting(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows[:_SHOWN]:
        reason = row["reasons"][0] if row["reasons"] else {"reader": "", "p": 0.0, "cue": ""}
        state = row["state"].replace("_", " ")
        lines.append(f"{row['item_id']:<28} {state:<9}{reason['reader']} p={reason['p']:.2f} by {reason['cue']}")
    if len(rows) > _SHOWN:
        lines.append(f"... and {len(rows) - _SHOWN} more")
    return lines


@click.command(name="agreement")
@out_option
@json_option
def agreement(out: Path, as_json: bool) -> None:
    """Say how far annotators agree, by dimension, and how often they are right from the images alone."""
    from tasks.review import agreement as figures
    from tasks.review.desk import open_desk
    from tasks.review.items import ReviewItem
    from tasks.review.journal import events_of

    with open_desk(desk_file(out)) as desk:
        events = events_of(desk)
        items = [
            ReviewItem.from_json(row["content"]) for row in desk.execute("SELECT content FROM items ORDER BY place")
        ]
    rows = figures.agreement(events, items)
    baseline = figures.human_baseline(events, items)
    lines = [f"{'on':<13}{'dimension':<16}{'coefficient':<20}{'items':>6}  value  95% interval   readers"]
    for row in rows:
        head = f"{row.what:<13}{row.dimension:<16}{row.measure:<20}{row.items:>6}"
        lines.append(f"{head}  {_figure(row.value)}  {_figure(row.low)} to {_figure(row.high)}  {row.readers or 'all'}")
    lines += ["", f"{'right from the images alone':<29}{'sample':<9}{'answers':>7}  value  95% interval   chance"]
    for found in baseline:
        head = f"  {found['dimension']:<27}{found['sample']:<9}{found['answers']:>7}"
        interval = f"{_figure(found['low'])} to {_figure(found['high'])}"
        lines.append(f"{head}  {_figure(found['accuracy'])}  {interval}  {_figure(found['chance'])}")
    say({"agreement": [asdict(row) for row in rows], "human_baseline": baseline}, as_json, lines)


def _figure(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.2f}"


@click.command(name="export")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--log", type=click.Path(path_type=Path), help="A log of events, in place of the run's desk.")
@out_option
@json_option
def export(target: Path, log: Path | None, out: Path, as_json: bool) -> None:
    """Verify the events and export them to TARGET as the Parquet table `review_events`."""
    from schemas.arrow import to_table
    from schemas.records import ReviewEvent
    from tasks.review.desk import open_desk
    from tasks.review.events import read_events, verify_chain
    from tasks.review.journal import events_of
    from tasks.store import write_parquet

    if log:
        events = read_events(log)
    else:
        with open_desk(desk_file(out)) as desk:
            events = events_of(desk)
    verify_chain(events, previous="")
    write_parquet(to_table(events, ReviewEvent), target)
    say({"events": len(events), "file": str(target)}, as_json, [f"{len(events)} events in {target}"])
