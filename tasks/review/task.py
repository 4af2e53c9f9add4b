"""Prefect tasks of review: open flagged items, and apply what was decided."""

from __future__ import annotations

import json
from pathlib import Path

from prefect import task

from schemas.records import Question, ReviewEvent
from tasks.review.audit import draw_audit
from tasks.review.config import ReviewConfig
from tasks.review.decisions import apply_decisions, read_decisions
from tasks.review.events import write_events
from tasks.review.queue import open_queue
from tasks.store import Shard, ShardInfo, ShardStore, ShardWriter


@task(name="open review", persist_result=False)
def open_items(store: ShardStore, key: str, screened: Shard, config: ReviewConfig, listed: Path) -> ShardInfo:
    """Open one item per flagged question and a random sample of the others, and list them where annotators look."""

    def make(out: ShardWriter) -> None:
        flagged = json.loads(screened.path("flagged.json").read_text(encoding="utf-8"))
        questions = screened.records("questions", Question)
        known = {entry["item_id"] for entry in flagged}
        audit = draw_audit(questions, known, config.audit_items, config.audit_seed)
        events = open_queue([*flagged, *audit], at=config.opened_at)
        out.facts.update(flagged=len(flagged), audit=len(audit))
        out.write_records("review_events", events, ReviewEvent)
        out.count(items_in=len(events), items_out=len(events), rejections=[])

    info = store.ensure("queue", key, make)[0]
    listed.parent.mkdir(parents=True, exist_ok=True)
    write_events(listed, store.open("queue", key).records("review_events", ReviewEvent))
    return info


@task(name="apply decisions", persist_result=False)
def apply(store: ShardStore, key: str, screened: Shard, queue: Shard, config: ReviewConfig, decided: Path) -> ShardInfo:
    """Apply the annotators' decisions to the screened questions; an absent file means that nobody has decided."""

    def make(out: ShardWriter) -> None:
        questions = screened.records("questions", Question)
        opened = queue.records("review_events", ReviewEvent)
        decisions = read_decisions(decided)
        kept, rejections = apply_decisions(questions, opened, decisions, config)
        known = {event.event_id for event in opened}
        events = [*opened, *(event for event in decisions if event.event_id not in known)]
        out.write_records("questions", kept, Question)
        out.write_records("review_events", events, ReviewEvent)
        out.count(items_in=len(questions), items_out=len(kept), rejections=rejections)

    return store.ensure("reviewed", key, make)[0]
