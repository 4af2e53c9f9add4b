"""The ledger: what is spent is known before it is spent, by all callers together."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from demo.scripted_endpoint import ScriptedEndpoint, echo
from tasks.endpoint.answers import Answer, Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import Budget, EndpointConfig
from tasks.endpoint.ledger import Ledger, LedgerRow, OverBudgetError, Spent, read_ledger
from tasks.endpoint.requests import Message, Request

Connect = Callable[..., Endpoint]


def ask_for(text: str, **options: Any) -> Request:
    return Request(f"item-{text}", "generation", (Message("user", text),), **options)


def config(**settings: Any) -> EndpointConfig:
    return EndpointConfig.model_validate({"base_url": "http://localhost/v1", "model": "m", **settings})


def reserve(ledger: Ledger, key: str, settings: EndpointConfig, tokens: int = 100) -> LedgerRow:
    row = ledger.reserve(key, "item", "generation", tokens, None, settings)
    assert isinstance(row, LedgerRow)
    return row


def test_every_call_has_a_row_with_tokens_cost_latency_stage_and_item(connect: Connect, tmp_path: Path) -> None:
    with ScriptedEndpoint(echo, lambda _digest, before: None if before else "throttle") as server:
        client = connect(server, prices={"input": 2, "output": 4})
        (answer,) = client.ask([ask_for("three words here")])
    assert isinstance(answer, Answer)
    first, second = read_ledger(tmp_path / "endpoint" / "ledger.jsonl")
    assert (first.status, first.http_status, first.tokens, first.cost) == ("throttled", 429, 0, 0)
    assert (second.status, second.key, second.item_id) == ("ok", first.key, "item-three words here")
    assert answer.ledger_id == first.ledger_id, "an answer tells nothing of how often it had to be asked for"
    assert second.completion_tokens == 3
    assert second.prompt_tokens is not None
    assert second.cost == pytest.approx((2 * second.prompt_tokens + 4 * 3) / 1e6)
    assert second.latency_s is not None


def test_cost_is_null_where_prices_are_unknown(connect: Connect, tmp_path: Path) -> None:
    with ScriptedEndpoint(echo) as server:
        connect(server).ask([ask_for("glands")])
    assert [row.cost for row in read_ledger(tmp_path / "endpoint" / "ledger.jsonl")] == [None]


@pytest.mark.parametrize("budget", [{"calls": 7}, {"tokens": 250}, {"cost": 0.00025}])
def test_a_budget_stops_before_it_is_passed(connect: Connect, tmp_path: Path, budget: dict[str, float]) -> None:
    requests = [ask_for(f"text {n}", max_tokens=20) for n in range(60)]
    with ScriptedEndpoint(echo) as server:
        client = connect(server, budget=budget, prices={"input": 1, "output": 1})
        outcomes = client.ask(requests)
    left = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert {outcome.reason for outcome in left} == {"over_budget"}
    assert len(left) + len(server.calls) == 60
    assert 0 < len(server.calls) < 60
    assert client.spent().exceeds(Budget.model_validate(budget)) is None


def test_a_raised_budget_continues_where_the_old_one_stopped(connect: Connect) -> None:
    requests = [ask_for(f"text {n}") for n in range(10)]
    with ScriptedEndpoint(echo) as server:
        connect(server, budget={"calls": 4}).ask(requests)
        outcomes = connect(server, budget={"calls": 10}).ask(requests)
    assert len(server.calls) == 10
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


def test_a_call_under_way_when_its_caller_was_killed_counts_in_full(tmp_path: Path) -> None:
    settings = config(budget={"tokens": 250})
    reserve(Ledger(tmp_path / "ledger.jsonl"), "a", settings)
    later = Ledger(tmp_path / "ledger.jsonl")
    reserve(later, "b", settings)
    with pytest.raises(OverBudgetError, match="tokens: 300 of 250"):
        later.reserve("c", "item", "generation", 100, None, settings)


def test_what_a_call_did_cost_takes_the_place_of_what_it_could(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    row = ledger.reserve("a", "item", "generation", 100, 0.5, config())
    assert isinstance(row, LedgerRow)
    assert ledger.spent() == Spent(1, 100, 0.5)
    ledger.settle(row, status="ok", tokens=40, cost=0.125)
    assert ledger.spent() == Spent(1, 40, 0.125)
    assert ledger.spent().exceeds(Budget(calls=1, tokens=40, cost=0.125)) is None
    assert ledger.spent().exceeds(Budget(calls=0)) == "calls: 1 of 0"


def test_several_callers_share_one_budget(tmp_path: Path) -> None:
    settings, sent = config(budget={"calls": 50}), []

    def spend() -> None:
        own = Ledger(tmp_path / "ledger.jsonl")
        for number in range(40):
            try:
                row = reserve(own, f"{threading.get_ident()}-{number}", settings)
            except OverBudgetError:
                return
            own.settle(row, status="ok", tokens=10)
            sent.append(row)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 50
    assert Ledger(tmp_path / "ledger.jsonl").spent().tokens == 500
    assert len({row.ledger_id for row in sent}) == 50


def test_half_a_line_of_a_killed_writer_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path)
    first.settle(reserve(first, "a", config()), status="ok", tokens=10)
    os.truncate(path, path.stat().st_size - 5)
    later = Ledger(path)
    reserve(later, "b", config())
    assert later.spent().tokens == 200  # of `a` only the reservation is known
    assert [row.status for row in read_ledger(path)] == ["open", "open"]


@pytest.mark.parametrize(("rates", "calls"), [({"requests_per_minute": 3}, 3), ({"tokens_per_minute": 500}, 5)])
def test_no_minute_holds_more_than_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[str, int], calls: int
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    settings, ledger = config(**rates), Ledger(tmp_path / "ledger.jsonl")
    sent: list[float] = []
    while len(sent) < 4 * calls:
        turn = ledger.reserve(f"key {len(sent)}", "item", "generation", 100, None, settings)
        if isinstance(turn, LedgerRow):
            sent.append(turn.sent_at)
            clock[0] += 2.5
        else:
            assert turn > 0
            clock[0] += turn
    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[calls:], strict=False))
    assert sent[-1] - sent[0] < 4 * 60


def test_an_empty_ledger_has_no_rows(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    "settings",
    [{"base_url": "ftp://a/v1"}, {"base_url": "http://user:pass@a/v1"}, {"budget": {"cost": 1}}, {"key": "sk-x"}],
)
def test_a_configuration_that_cannot_be_meant_is_an_error(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**settings)


def test_how_fast_an_endpoint_is_asked_decides_no_answer_and_no_key_of_a_shard() -> None:
    slow = config(concurrency=1, requests_per_minute=5, tokens_per_minute=900, backoff_s=9, base_url="http://b/v1")
    assert slow.portable() == config().portable()
    assert config(model="other").portable() != config().portable()
    assert config(attempts=1).portable() != config().portable()  # it decides what fails
