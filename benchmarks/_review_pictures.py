"""Pictures of the annotators' page for the docs: a flagged question before the answer, after it, and on a tablet.

The demo's own questions are counterbalanced and screening flags none of them. So one question is asked of each of its
fields in the way of published benchmarks (`_per_item`), screening reads these, and the stages' own functions lay what
it flags on a desk. Shown is the most surely guessed diagnosis of a field that lies in tissue at all scales.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks._per_item import AXES, per_item_questions
from benchmarks._review_server import browser_tab
from schemas.records import Field, Tile
from tasks.review.config import ReviewConfig
from tasks.review.desk import DESK, open_desk
from tasks.review.items import ReviewItem
from tasks.review.task import open_items, set_desk
from tasks.screening.config import ScreeningConfig
from tasks.screening.questions import screen_questions
from tasks.store import Shard, ShardStore, ShardWriter

DESKTOP, TABLET = (1440, 900), (820, 1180)
_WHOLE_PANEL = "document.querySelector('.bar').offsetHeight + document.getElementById('panel').scrollHeight"
_IN_TISSUE = 0.97
_JPEG: dict[str, Any] = {"type": "jpeg", "quality": 78}


def _shards(run: Path, stage: str) -> list[Shard]:
    store = ShardStore(run / "work")
    return [store.open(stage, folder.name) for folder in sorted((run / "work" / stage).iterdir())]


def lay_leaking_desk(run: Path, out: Path) -> ReviewItem:
    """Lay a desk of flagged per-item questions about a run's fields; return the item to show."""
    features, tiling, graph = (_shards(run, stage) for stage in ("features", "tiling", "graph"))
    fields = [field for shard in features for field in shard.records("fields", Field)]
    asked = [question for dimension in AXES for question in per_item_questions(fields, dimension, "one change")]

    def make(shard: ShardWriter) -> None:
        screen_questions(asked, ScreeningConfig(on_fail="keep"), shard)

    store = ShardStore(out / "work")
    store.ensure("screening", "per-item", make)
    config = ReviewConfig(audit_items=0, audit_texts=0)
    open_items.fn(store, "flagged", store.open("screening", "per-item"), features, [], graph[0], config)
    set_desk.fn(store.open("queue", "flagged"), tiling, out / "review")
    tissue: dict[str, float] = {}
    for tile in (tile for shard in tiling for tile in shard.records("tiles", Tile)):
        tissue[tile.field_id] = min(tissue.get(tile.field_id, 1.0), tile.tissue_fraction)
    with open_desk(out / "review" / DESK) as desk:
        rows = desk.execute("SELECT content FROM items WHERE dimension = 'diagnosis' ORDER BY place").fetchall()
    items = (ReviewItem.from_json(row["content"]) for row in rows)
    return next(item for item in items if tissue[item.field_id] >= _IN_TISSUE)


def take_pictures(run: Path, scratch: Path, folder: Path) -> None:
    """Write `review_item.jpg`, `review_decide.jpg` and `review_tablet.jpg`.

    Args:
        run: folder of a run with its slides, such as the demo's.
        scratch: an empty folder to work in.
        folder: where the pictures go.
    """
    item = lay_leaking_desk(run, scratch)
    (scratch / "input").symlink_to((run / "input").resolve(), target_is_directory=True)
    folder.mkdir(parents=True, exist_ok=True)
    with browser_tab(scratch) as (tab, url):

        def shoot(name: str, size: tuple[int, int]) -> None:
            tab.set_viewport_size({"width": size[0], "height": size[1]})
            tab.wait_for_selector(".slide-box.high")
            tab.wait_for_load_state("networkidle")
            tab.wait_for_timeout(500)  # the slide's tiles are drawn after they have come
            tab.screenshot(path=folder / f"{name}.jpg", full_page=True, **_JPEG)

        tab.goto(f"{url}/items/{item.public_id}")
        shoot("review_item", DESKTOP)
        shoot("review_tablet", TABLET)
        tab.keyboard.press(str(1 + (item.key + 1) % len(item.options)))
        tab.wait_for_selector("[data-mode=decide]")
        tab.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        shoot("review_decide", (DESKTOP[0], tab.evaluate(_WHOLE_PANEL)))
    print(f"three pictures in {folder.name}/: {item.ask} ({item.dimension}, {item.reasons[0]['cue']})")
