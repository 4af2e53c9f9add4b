"""Gathering what the queue shows: texts drawn for review, the fields of all items, their tiles and slides."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow.compute as pc
import pyarrow.parquet as pq

from kg.graph import Graph
from schemas.arrow import from_table
from schemas.records import Caption, Field, Perturbation, Question, Reasoning, ReviewEvent, Slide, Tile
from tasks.review.audit import audit_entry, draw_audit, draw_ids
from tasks.review.config import ReviewConfig
from tasks.review.drafting import Drafter
from tasks.review.events import payload_of
from tasks.review.items import ReviewItem
from tasks.store import Shard

Row = TypeVar("Row", Caption, Perturbation, Reasoning, Field, Tile)

TEXT_KEYS = {"captions": "caption_id", "perturbations": "perturbation_id", "reasoning": "sample_id"}


def ids_of(shards: Iterable[Shard], table: str) -> list[str]:
    """Return the ids of a table over all shards."""
    key = TEXT_KEYS[table]
    return [value for shard in shards for value in shard.table(table, [key])[key].to_pylist()]


def here_and_gone(
    events: Iterable[ReviewEvent], questions: Shard, texts: Sequence[Shard]
) -> tuple[list[ReviewEvent], list[ReviewEvent]]:
    """Part events by whether what they speak of is in the run, be it rejected there; the others are of earlier runs.

    What a patient who has withdrawn showed, or what is worded otherwise now, is decided about in the log and not here.
    """
    events = list(events)
    gone = {event.item_id for event in events}
    gone.difference_update(questions.table("questions", ["question_id"])["question_id"].to_pylist())
    if "rejections" in questions.info.rows:
        gone.difference_update(questions.table("rejections", ["item_id"])["item_id"].to_pylist())
    for table in TEXT_KEYS if gone else ():
        gone.difference_update(ids_of(texts, table))
    return [e for e in events if e.item_id not in gone], [e for e in events if e.item_id in gone]


def rows_of(shards: Iterable[Shard], table: str, record: type[Row], column: str, wanted: Collection[str]) -> list[Row]:
    """Return the rows of a table over all shards whose column holds a wanted id."""
    rows: list[Row] = []
    for shard in shards:
        if wanted:
            held = pq.read_table(shard.path(f"{table}.parquet"), filters=pc.field(column).isin(sorted(wanted)))
            rows += from_table(held, record)
    return rows


class Texts:
    """Captions, negatives and reasoning samples that were drawn for review."""

    def __init__(self, shards: Sequence[Shard], config: ReviewConfig) -> None:
        def drawn(table: str, record: type[Row]) -> list[Row]:
            ids = draw_ids(ids_of(shards, table), config.audit_texts, config.audit_seed) if config.audit_texts else []
            return rows_of(shards, table, record, TEXT_KEYS[table], ids)

        self.captions = drawn("captions", Caption)
        self.negatives = [row for row in drawn("perturbations", Perturbation) if row.certified_false]
        self.samples = drawn("reasoning", Reasoning)
        parents = {row.caption_id for row in self.negatives}
        found = rows_of(shards, "captions", Caption, "caption_id", parents)
        self.caption_of = {row.caption_id: row for row in found}
        self.diagnoses = sorted(
            {value for shard in shards for value in shard.table("reasoning", ["answer"])["answer"].to_pylist()}
            if self.samples
            else ()
        )

    def entries(self) -> list[dict[str, Any]]:
        """Return entries for the queue."""
        return [
            *(audit_entry(row.caption_id, f"caption/{row.level}", 2) for row in self.captions),
            *(audit_entry(row.perturbation_id, f"negative/{row.operator}", 2) for row in self.negatives),
            *(audit_entry(row.sample_id, "reasoning", min(4, max(2, len(self.diagnoses)))) for row in self.samples),
        ]

    def field_ids(self) -> set[str]:
        """Return the fields that the drawn texts are about."""
        return {row.field_id for rows in (self.captions, self.negatives, self.samples) for row in rows}


def queue_entries(
    screened: Shard, questions: Sequence[Question], texts: Texts, config: ReviewConfig
) -> tuple[list[dict[str, Any]], int]:
    """Return the entries of the queue and how many of them a reader flagged."""
    flagged = json.loads(screened.path("flagged.json").read_text(encoding="utf-8"))
    known = {entry["item_id"] for entry in flagged}
    audit = draw_audit(questions, known, config.audit_items, config.audit_seed)
    return [*flagged, *audit, *texts.entries()], len(flagged)


def draft_items(
    queue: Sequence[ReviewEvent], questions: Sequence[Question], texts: Texts, features: Sequence[Shard], graph: Graph
) -> list[ReviewItem]:
    """Return the items of the queue, in its order, with everything that is shown of them."""
    opened = {event.item_id: payload_of(event) for event in queue}
    asked = [question for question in questions if question.question_id in opened]
    wanted = {question.field_id for question in asked} | texts.field_ids()
    fields: Mapping[str, Field] = {row.field_id: row for row in rows_of(features, "fields", Field, "field_id", wanted)}
    drafter = Drafter(fields, graph, opened)
    drafted = [
        *map(drafter.question, asked),
        *map(drafter.caption, texts.captions),
        *(drafter.negative(row, texts.caption_of[row.caption_id]) for row in texts.negatives),
        *(drafter.reasoning(row, texts.diagnoses) for row in texts.samples),
    ]
    by_id = {item.item_id: item for item in drafted}
    return [by_id[event.item_id] for event in queue]


def field_tiles(
    tiling: Iterable[Shard], fields: Collection[str], held: Mapping[str, set[str]]
) -> Iterator[tuple[Slide, list[Tile]]]:
    """Yield each slide that holds one of the fields, with the tiles of those that have others than are held."""
    for shard in tiling:
        if not shard.info.rows.get("tiles"):
            continue
        table = shard.table("tiles", ["field_id", "tile_id"])
        found: dict[str, set[str]] = defaultdict(set)
        for row in table.filter(pc.is_in(table["field_id"], value_set=_array(fields))).to_pylist():
            found[row["field_id"]].add(row["tile_id"])
        if found:
            new = {field_id for field_id, tiles in found.items() if tiles != held.get(field_id)}
            yield shard.records("slides", Slide)[0], rows_of([shard], "tiles", Tile, "field_id", new)


def _array(values: Collection[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())
