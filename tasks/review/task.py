"""Prefect tasks of review: open items, and apply what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from kg.graph import Graph
from schemas.json_lines import json_lines
from schemas.origins import with_origin
from schemas.records import Caption, Perturbation, Question, Reasoning, Rejection, ReviewEvent, Verdict
from tasks.review.config import ReviewConfig
from tasks.review.decisions import Ruling, apply_decisions, read_decisions, readers_wanted, rulings
from tasks.review.desk import DESK, fill_items, fill_tiles, held_tiles, make_desk
from tasks.review.events import write_events
from tasks.review.gather import TEXT_KEYS, Texts, draft_items, field_tiles, here_and_gone, ids_of, queue_entries
from tasks.review.items import ReviewItem
from tasks.review.journal import refresh_states
from tasks.review.queue import open_queue
from tasks.review.rescreen import Screener, hold_what_leaks
from tasks.review.texts import NOBODY, TextRows, apply_to_texts
from tasks.store import Shard, ShardInfo, ShardStore, ShardWriter

ITEMS, QUEUE = "items.jsonl", "queue.jsonl"


@task(name="open review", persist_result=False)
def open_items(
    store: ShardStore,
    key: str,
    screened: Shard,
    features: Sequence[Shard],
    texts: Sequence[Shard],
    graph: Shard,
    config: ReviewConfig,
) -> ShardInfo:
    """Open one item per flagged question, and a random sample of the others and of the texts."""

    def make(out: ShardWriter) -> None:
        questions = screened.records("questions", Question)
        drawn = Texts(texts, config)
        entries, flagged = queue_entries(screened, questions, drawn, config)
        events = open_queue(entries, at=config.opened_at, second_reader_share=config.second_reader_share)
        items = draft_items(events, questions, drawn, features, Graph.load(graph.folder))
        out.path(ITEMS).write_text("".join(item.to_json() + "\n" for item in items), encoding="utf-8")
        out.facts.update(flagged=flagged, audit=len(events) - flagged)
        out.write_records("review_events", events, ReviewEvent)
        out.count(items_in=len(events), items_out=len(events), rejections=[])

    return store.ensure("queue", key, make)[0]


@task(name="set the desk", persist_result=False)
def set_desk(queue: Shard, tiling: Sequence[Shard], folder: Path) -> None:
    """Lay the queue where annotators work: `queue.jsonl`, and the desk with all that the page shows, and no more."""
    lines = json_lines(queue.path(ITEMS).read_text(encoding="utf-8"))
    items = [ReviewItem.from_json(line) for _, line in lines]
    with make_desk(folder / DESK) as desk:
        fill_tiles(desk, field_tiles(tiling, {item.field_id for item in items}, held_tiles(desk)))
        fill_items(desk, items)
        refresh_states(desk)
    # Last: whoever is stopped before this has a desk that holds more than the queue says, never less.
    write_events(folder / QUEUE, queue.records("review_events", ReviewEvent))


@task(name="apply decisions", persist_result=False)
def apply(
    store: ShardStore,
    key: str,
    screened: Shard,
    queue: Shard,
    texts: Sequence[Shard],
    config: ReviewConfig,
    decided: Path,
    screener: Screener,
) -> ShardInfo:
    """Apply the annotators' decisions to questions and texts; an absent file means that nobody has decided.

    Rewritten questions are screened again. Events about what is not in this run stay in the log and are counted. Of the
    texts only slides that a decision touches are written, as `captions-<key>`, `perturbations-<key>` and
    `reasoning-<key>`, in place of the tables of the shard with that key.
    """

    def make(out: ShardWriter) -> None:
        questions = screened.records("questions", Question)
        opened = queue.records("review_events", ReviewEvent)
        decisions = read_decisions(decided)
        field_of = {question.question_id: question.field_id for question in questions}
        kept, rejections = apply_decisions(questions, opened, decisions, config)
        kept, held, verdicts = hold_what_leaks(questions, kept, screener, config)
        rejections += held
        known = {event.event_id for event in opened}
        later = (event for event in decisions if event.event_id not in known)
        events, gone = here_and_gone([*opened, *later], screened, texts)
        waiting = {event.item_id: NOBODY for event in opened} if config.undecided == "hold" else {}
        ruled = rulings(decisions, readers_wanted(opened))
        looked_at, lost = _apply_texts(texts, {**waiting, **ruled}, config, out)
        out.write_records("questions", kept, Question)
        out.write_records("verdicts", verdicts, Verdict)
        out.write_records("review_events", events, ReviewEvent)
        out.facts["events_of_gone_items"] = len(gone)
        out.count(
            items_in=len(questions) + looked_at,
            items_out=len(kept) + looked_at - len(lost),
            rejections=[*with_origin(rejections, field_of.get), *lost],
        )

    return store.ensure("reviewed", key, make)[0]


def _apply_texts(
    texts: Sequence[Shard], known: dict[str, Ruling], config: ReviewConfig, out: ShardWriter
) -> tuple[int, list[Rejection]]:
    """Write the texts of the slides that a decision touches; return how many there were and which go no further."""
    looked_at, rejections = 0, []
    for shard in texts if known else ():
        if known.keys().isdisjoint(item_id for table in TEXT_KEYS for item_id in ids_of([shard], table)):
            continue
        before = TextRows(
            shard.records("captions", Caption),
            shard.records("perturbations", Perturbation),
            shard.records("reasoning", Reasoning),
        )
        rows, lost = apply_to_texts(before, known, config)
        looked_at += len(before)
        rejections += with_origin(lost, before.field_of().get)
        out.write_records(f"captions-{shard.info.key}", rows.captions, Caption)
        out.write_records(f"perturbations-{shard.info.key}", rows.perturbations, Perturbation)
        out.write_records(f"reasoning-{shard.info.key}", rows.reasoning, Reasoning)
    return looked_at, rejections
