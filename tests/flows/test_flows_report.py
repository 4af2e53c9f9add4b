"""What the report takes from a run's shards and ledgers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flows.config import parse_config
from flows.plan import make_plan
from flows.report_contents import _of_field
from flows.spending import by_stage, read_spending
from schemas.records import Caption
from schemas.rejection import Stage
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.ledger import LEDGER, Ledger, LedgerRow
from tasks.store import Shard, ShardStore, ShardWriter
from tests.report.test_report_page import example


def test_texts_are_shown_as_annotators_left_them(tmp_path: Path) -> None:
    (first,) = example().captions
    second = replace(first, caption_id="cap_2")
    store = ShardStore(tmp_path)

    def kept(stage: str, key: str, table: str, *rows: Caption) -> Shard:
        def make(out: ShardWriter) -> None:
            out.write_records(table, rows, Caption)
            out.count(items_in=len(rows), items_out=len(rows), rejections=[])

        store.ensure(stage, key, make)
        return store.open(stage, key)

    texts = kept("texts", "k" * 64, "captions", first, second)
    untouched = kept("reviewed", "a" * 64, "captions-of-another-slide", second)
    decided = kept("reviewed", "b" * 64, f"captions-{texts.info.key}", second)
    shown = [_of_field(texts, held, "captions", Caption, field_id=first.field_id) for held in (untouched, decided)]
    assert shown == [[first, second], [second]]
    assert _of_field(texts, decided, "reasoning", Caption, field_id=first.field_id) == []


def test_the_ledger_of_screenings_own_folder_is_told(inputs: Path, tmp_path: Path) -> None:
    endpoint = {"base_url": "http://host/v1", "model": "m", "prices": {"input": 1, "output": 1}}
    raw = {"slides": str(inputs / "slides"), "manifest": str(inputs / "manifest.csv"), "out": str(tmp_path / "out")}
    screening = {"endpoint": {"endpoint": endpoint, "folder": str(tmp_path / "kept")}}
    settings = EndpointConfig.model_validate(endpoint)
    plan = make_plan(parse_config({**raw, "screening": screening}, "test"))
    stages: list[tuple[Path, Stage]] = [(plan.endpoint_folder, "generation"), (tmp_path / "kept", "screening")]
    for folder, stage in stages:
        ledger = Ledger(folder / LEDGER)
        call = ledger.reserve("k", "item", stage, 1000, 12.5, settings)
        assert isinstance(call, LedgerRow)
        ledger.settle(call, status="ok", tokens=900, cost=12.5)
    told = [(row["stage"], row["calls"], row["cost"]) for row in by_stage(read_spending(plan.endpoint_folders))]
    assert told == [("generation", 1, 12.5), ("screening", 1, 12.5)]
    assert make_plan(parse_config(raw, "test")).endpoint_folders == [plan.endpoint_folder]
