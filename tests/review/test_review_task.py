"""From shards to the desk, and from the desk back into shards: what the flows call, without their server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kg.graph import Edge, Graph, Node
from kg.records import edge_id
from schemas.records import (
    Caption,
    Feature,
    Field,
    Perturbation,
    Provenance,
    Question,
    Reasoning,
    ReasoningStep,
    Rejection,
    ReviewEvent,
    Slide,
    Tile,
)
from tasks.review.config import ReviewConfig
from tasks.review.decision_log import collect_log
from tasks.review.desk import DESK, fill_items, open_desk
from tasks.review.items import ReviewItem
from tasks.review.journal import record
from tasks.review.task import apply, open_items, set_desk
from tasks.store import Shard, ShardStore, ShardWriter
from tests.review.conftest import Ask

MADE = Provenance("rules")
CONFIG = ReviewConfig(audit_items=2, audit_texts=9, second_reader_share=0.0, undecided="hold")


def shard(store: ShardStore, stage: str, make: Callable[[ShardWriter], None]) -> Shard:
    def whole(out: ShardWriter) -> None:
        make(out)
        out.count(items_in=0, items_out=0, rejections=[], write=False)

    store.ensure(stage, "key", whole)
    return store.open(stage, "key")


@pytest.fixture
def line(tmp_path: Path, ask: Ask) -> dict[str, Any]:
    """The shards of a run of one slide with three fields."""
    store = ShardStore(tmp_path / "work")
    questions = [replace(ask(str(n), option_set=None), field_id=f"field_{n}", evidence_ids=("feat",)) for n in range(3)]
    questions[0] = replace(questions[0], question="Which pattern\u2028is seen?")  # pasted out of a text processor
    feature = Feature("feat", "low", "architecture", "glandular", "SSG:g", "present", "annotation")
    fields = [Field(f"field_{n}", "slide", "patient", 9, 9, f"tile_{n}", features=(feature,)) for n in range(3)]
    one = Caption("", "", "slide", "patient", None, "low", "architecture", "", 0, (), ("feat",), MADE)
    captions = [replace(one, caption_id=f"cap_{n}", field_id=f"field_{n}", text=f"text {n}") for n in range(3)]
    negatives = [
        Perturbation(
            f"pert_{n}", f"cap_{n}", f"field_{n}", "patient", "low", f"not text {n}", "negate", "entity", 0, 0, "not ",
            None, "SSG:s", True, "truth", 0.9, 0.9, True, MADE,
        )
        for n in range(3)
    ]  # fmt: skip
    steps = (ReasoningStep("it excludes", "edge_1", "infores:x"),)
    sample = Reasoning(
        "reason_0", "field_0", "slide", "patient", "look", "seen", steps, "dx", ("edge_1",), (), (), MADE
    )
    tile = Tile("tile_0", "slide", "field_0", "low", 10.0, 0, 0, 9, 9, 8, 8, 1.0, 1.0, 9.0, 0.0, 0.0, "native", b"jpeg")
    slide = Slide("slide", "patient", "a.svs", "slides/a.svs", "0" * 64, "aperio", 99, 99, 0.5, 0.5)

    def screening(out: ShardWriter) -> None:
        out.write_records("questions", questions, Question)
        flagged = [{"item_id": "0", "cell": "c", "reasons": [{"reader": "tfidf", "p": 0.9, "cue": "length"}]}]
        out.path("flagged.json").write_text(json.dumps(flagged))

    def texts(out: ShardWriter) -> None:
        out.write_records("captions", captions, Caption)
        out.write_records("perturbations", negatives, Perturbation)
        out.write_records("reasoning", [sample], Reasoning)

    def tiling(out: ShardWriter) -> None:
        out.write_records("slides", [slide], Slide)
        out.write_records("tiles", [replace(tile, tile_id=f"tile_{n}", field_id=f"field_{n}") for n in range(3)], Tile)

    return {
        "store": store,
        "screened": shard(store, "screening", screening),
        "features": [shard(store, "features", lambda out: out.write_records("fields", fields, Field))],
        "texts": [shard(store, "texts", texts)],
        "graph": shard(store, "graph", lambda out: small_graph().save(out.path(""))),
        "tiling": [shard(store, "tiling", tiling)],
        "folder": tmp_path / "review",
    }


def small_graph() -> Graph:
    nodes = [Node("SSG:g", "MorphologicFinding", "glandular"), Node("SSG:s", "MorphologicFinding", "solid")]
    source = ("infores:x", "1", "0" * 64, "CC0", "knowledge_assertion", "manual_agent")
    name = edge_id("SSG:g", "excludes", "SSG:s", None, "infores:x")
    return Graph(nodes, [Edge(name, "SSG:g", "excludes", "SSG:s", None, *source)])


def opened(line: dict[str, Any], config: ReviewConfig = CONFIG) -> list[ReviewItem]:
    shards = {name: line[name] for name in ("screened", "features", "texts", "graph")}
    open_items.fn(line["store"], "queue-key", config=config, **shards)
    set_desk.fn(line["store"].open("queue", "queue-key"), line["tiling"], line["folder"])
    with open_desk(line["folder"] / DESK) as desk:
        return [ReviewItem.from_json(row[0]) for row in desk.execute("SELECT content FROM items ORDER BY place")]


def decide(line: dict[str, Any], item: ReviewItem, reader: str = "ann", **verdict: Any) -> None:
    with open_desk(line["folder"] / DESK) as desk:
        event = record(desk, item, reader, "blind", {"answer": item.key}, after="")
        record(desk, item, reader, "verdict", verdict, after=event.event_id)


def closed(line: dict[str, Any], flags: dict[str, Any] | None = None, config: ReviewConfig = CONFIG) -> Shard:
    collect_log(line["folder"])
    log = line["folder"] / "decisions.jsonl"
    queue = line["store"].open("queue", "queue-key")
    found = flags or {}
    apply.fn(line["store"], "done", line["screened"], queue, line["texts"], config, log, lambda questions: (found, []))
    done: Shard = line["store"].open("reviewed", "done")
    return done


def test_every_kind_is_laid_on_the_desk_with_all_that_is_shown(line: dict[str, Any]) -> None:
    items = opened(line)
    kinds = Counter(item.kind for item in items)
    assert kinds == {"question": 3, "caption": 3, "negative": 3, "reasoning": 1}
    assert (items[0].item_id, items[0].reasons[0]["cue"]) == ("0", "length")
    assert items[0].evidence[0].text == "architecture: glandular"
    assert items[0].path == ("glandular - excludes - solid  [infores:x]",)
    negative = next(item for item in items if item.kind == "negative")
    assert (negative.key, negative.options[1], negative.dimension) == (
        1,
        "It does not hold for this field",
        "description",
    )
    sample = next(item for item in items if item.kind == "reasoning")
    assert sample.path == ("it excludes  [infores:x]",)
    assert len(sample.options) == 2
    with open_desk(line["folder"] / DESK) as desk:
        assert desk.execute("SELECT count(*), min(image) FROM tiles").fetchone()[:] == (3, b"jpeg")
        assert desk.execute("SELECT uri FROM slides").fetchone()[0] == "slides/a.svs"


def test_opening_again_keeps_what_was_said(line: dict[str, Any]) -> None:
    items = opened(line)
    decide(line, items[0], decision="accept")
    assert opened(line) == items
    with open_desk(line["folder"] / DESK) as desk:
        assert desk.execute("SELECT state FROM items WHERE item_id = '0'").fetchone()[0] == "accept"


def laid_again(line: dict[str, Any], tiles: list[Tile]) -> list[tuple[str, bytes]]:
    """Lay the queue with other tiles; returns the desk's."""
    old = line["tiling"][0]

    def tiling(out: ShardWriter) -> None:
        out.write_records("slides", old.records("slides", Slide), Slide)
        out.write_records("tiles", tiles, Tile)

    store = line["store"]
    line["tiling"] = [shard(store, f"tiling-{len(list(store.root.iterdir()))}", tiling)]
    set_desk.fn(store.open("queue", "queue-key"), line["tiling"], line["folder"])
    with open_desk(line["folder"] / DESK) as desk:
        return [tuple(row) for row in desk.execute("SELECT tile_id, image FROM tiles ORDER BY tile_id")]


def test_the_desk_shows_the_images_of_this_run(line: dict[str, Any]) -> None:
    opened(line)
    first = line["tiling"][0].records("tiles", Tile)
    stained = [replace(tile, tile_id=f"{tile.tile_id}_macenko", image=b"macenko") for tile in first]
    assert laid_again(line, stained) == [(tile.tile_id, b"macenko") for tile in stained]
    both = [*stained, replace(first[0], scale="high")]
    assert len(laid_again(line, both)) == 4
    assert laid_again(line, stained) == [(tile.tile_id, b"macenko") for tile in stained]


def test_images_of_what_left_the_queue_leave_the_desk_to_the_last_byte(line: dict[str, Any]) -> None:
    tiles = line["tiling"][0].records("tiles", Tile)
    named = [replace(tile, image=f"image of {tile.field_id}".encode() * 500) for tile in tiles]
    opened(line)
    laid_again(line, [replace(tile, tile_id=f"{tile.tile_id}_named") for tile in named])
    path = line["folder"] / DESK
    assert b"image of field_2" in path.read_bytes()
    with open_desk(path) as page, open_desk(path) as desk:
        rows = page.execute("SELECT content FROM items WHERE field_id != 'field_2' ORDER BY place").fetchall()
        fill_items(desk, [ReviewItem.from_json(row[0]) for row in rows])
        assert {row[0] for row in desk.execute("SELECT field_id FROM tiles")} == {"field_0", "field_1"}
        assert desk.execute("SELECT count(*) FROM slides").fetchone()[0] == 1
        held = b"".join(file.read_bytes() for file in line["folder"].glob(f"{DESK}*"))
        assert b"image of field_1" in held
        assert b"image of field_2" not in held
    with open_desk(path) as desk:
        fill_items(desk, [])
        assert [desk.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("tiles", "slides")] == [0, 0]
        assert desk.execute("SELECT count(*) FROM items").fetchone()[0] == 10


def test_decisions_on_every_kind_come_through_and_the_counts_hold(line: dict[str, Any]) -> None:
    items = {item.item_id: item for item in opened(line)}
    for name in ("0", "1", "2", "cap_1", "cap_2", "pert_0", "pert_2", "reason_0"):
        edit = {"text": "another text"} if name == "cap_2" else {"question": "Which one?"}
        verdict = {"decision": "edit", "edit": edit} if name in ("2", "cap_2") else {"decision": "accept"}
        decide(line, items[name], **({"decision": "reject", "reason": "no"} if name in ("1", "pert_0") else verdict))
    done = closed(line)
    assert [(q.question_id, q.question, q.round) for q in done.records("questions", Question)] == [
        ("0", "Which pattern\u2028is seen?", 0),
        ("2", "Which one?", 1),
    ]
    assert [row.caption_id for row in done.records("captions-key", Caption)] == ["cap_1", "cap_2"]
    assert done.records("perturbations-key", Perturbation) == []
    assert [row.sample_id for row in done.records("reasoning-key", Reasoning)] == ["reason_0"]
    assert done.info.rejected == {"rejected_by_reviewer": 3, "awaiting_review": 2}
    assert done.info.items_in == 3 + 7
    assert len(done.records("review_events", ReviewEvent)) == 10 + 16


def test_one_verdict_on_a_text_that_two_read_leaves_it_waiting(line: dict[str, Any]) -> None:
    config = CONFIG.model_copy(update={"second_reader_share": 1.0})
    items = {item.item_id: item for item in opened(line, config)}
    for name, reader in (("cap_0", "ann"), ("cap_1", "ann"), ("cap_1", "ben")):
        decide(line, items[name], reader, decision="accept")
    done = closed(line, config=config)
    waiting = {row.item_id: row for row in done.records("rejections", Rejection)}
    assert (waiting["cap_0"].reason, waiting["cap_0"].detail) == (
        "awaiting_review",
        "read by 1 of 2 annotators (of field_0)",
    )
    assert [row.caption_id for row in done.records("captions-key", Caption)] == ["cap_1"]


def test_whoever_stops_while_the_desk_is_filled_leaves_no_queue_that_it_does_not_hold(line: dict[str, Any]) -> None:
    line["tiling"][0].path("slides.parquet").write_bytes(b"torn")
    with pytest.raises(pa.ArrowInvalid):
        opened(line)
    assert not (line["folder"] / "queue.jsonl").exists()


def test_decisions_on_what_the_run_no_longer_holds_stay_in_the_log_and_are_counted(line: dict[str, Any]) -> None:
    items = {item.item_id: item for item in opened(line)}
    for name in ("0", "pert_1"):
        decide(line, items[name], decision="accept")
    collect_log(line["folder"])
    left = line["screened"].records("questions", Question)[1:]

    def screening(out: ShardWriter) -> None:
        out.write_records("questions", left, Question)
        out.path("flagged.json").write_text("[]")

    line["screened"] = shard(line["store"], "screening-later", screening)
    shards = {name: line[name] for name in ("screened", "features", "texts", "graph")}
    open_items.fn(line["store"], "later", config=CONFIG, **shards)
    queue, log = line["store"].open("queue", "later"), line["folder"] / "decisions.jsonl"
    apply.fn(line["store"], "later", line["screened"], queue, line["texts"], CONFIG, log, lambda _: ({}, []))
    done = line["store"].open("reviewed", "later")
    spoken_of = Counter(
        event.item_id for event in done.records("review_events", ReviewEvent) if event.reviewer == "ann"
    )
    assert spoken_of == {"pert_1": 2}
    assert done.info.facts["events_of_gone_items"] == 2


def test_an_edit_that_a_reader_guesses_goes_no_further(line: dict[str, Any]) -> None:
    items = {item.item_id: item for item in opened(line)}
    decide(line, items["0"], decision="edit", edit={"rationale": "Because."})
    done = closed(line, {"0": [{"reader": "forest", "p": 0.8, "cue": "length"}]})
    assert done.info.rejected["leaks"] == 1


def test_without_decisions_no_text_is_written_anew_when_nothing_is_held(line: dict[str, Any]) -> None:
    opened(line)
    queue = line["store"].open("queue", "queue-key")
    nothing = line["folder"] / "none.jsonl"
    free = CONFIG.model_copy(update={"undecided": "release"})
    apply.fn(line["store"], "k", line["screened"], queue, line["texts"], free, nothing, lambda questions: ({}, []))
    info = line["store"].open("reviewed", "k").info
    assert sorted(info.rows) == ["questions", "rejections", "review_events", "verdicts"]
    assert (info.items_in, info.items_out) == (3, 3)
