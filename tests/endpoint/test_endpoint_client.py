"""The client against a real HTTP server on loopback that does what it is told."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from demo.scripted_endpoint import Fault, Said, ScriptedEndpoint, echo, last_words
from schemas.errors import ConfigError, EndpointError
from tasks.endpoint.answers import Answer, Failure
from tasks.endpoint.choices import chosen_letter, letter_logprobs
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.estimate import Estimate
from tasks.endpoint.rehearsal import Rehearsal
from tasks.endpoint.requests import Message, Request, body_of, request_key

Connect = Callable[..., Endpoint]
TINY_JPEG = b"\xff\xd8\xff\xe0 as good as an image"


class Sentence(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sentence: str


def ask_for(text: str, **options: Any) -> Request:
    return Request(f"item-{text}", "generation", (Message("user", text),), **options)


def at_first(fault: Fault, times: int = 1) -> ScriptedEndpoint:
    left = iter([fault] * times)
    return ScriptedEndpoint(echo, lambda _digest, _before: next(left, None))


def only_answer(client: Endpoint, request: Request) -> Answer:
    (answer,) = client.ask([request])
    assert isinstance(answer, Answer), answer
    return answer


def only_failure(client: Endpoint, request: Request) -> Failure:
    (failure,) = client.ask([request])
    assert isinstance(failure, Failure), failure
    return failure


def test_answers_come_in_the_order_of_the_requests(connect: Connect) -> None:
    with ScriptedEndpoint(echo) as server:
        answers = connect(server).ask([ask_for(f"text {n}") for n in range(30)])
    assert [answer.text for answer in answers if isinstance(answer, Answer)] == [f"text {n}" for n in range(30)]


def test_equal_requests_are_put_once_and_each_item_gets_the_answer(connect: Connect) -> None:
    with ScriptedEndpoint(echo) as server:
        answers = connect(server).ask([ask_for("same"), ask_for("other"), ask_for("same")])
    assert len(server.calls) == 2
    assert [answer.text for answer in answers if isinstance(answer, Answer)] == ["same", "other", "same"]


def test_a_json_answer_is_asked_for_by_schema_and_arrives_as_an_object(connect: Connect) -> None:
    with ScriptedEndpoint(echo) as server:
        answer = only_answer(connect(server), ask_for("glands", reply=Sentence))
    assert answer.value == Sentence(sentence="glands")
    asked = server.calls[0].body["response_format"]["json_schema"]
    assert asked["strict"] is True
    assert asked["schema"]["required"] == ["sentence"]
    assert asked["schema"]["additionalProperties"] is False


def test_images_travel_as_data_urls(connect: Connect) -> None:
    request = Request("tile", "features", (Message("user", "what is here?", (TINY_JPEG,)),))
    with ScriptedEndpoint(echo) as server:
        only_answer(connect(server), request)
        other = Request("tile", "features", (Message("user", "what is here?", (TINY_JPEG + b"!",)),))
        only_answer(connect(server), other)
    sent = [call.body["messages"][0]["content"][1]["image_url"]["url"] for call in server.calls]
    assert sent[0] == f"data:image/jpeg;base64,{base64.b64encode(TINY_JPEG).decode()}"
    assert len(set(sent)) == 2


def test_what_was_answered_is_never_asked_again(connect: Connect) -> None:
    with ScriptedEndpoint(echo) as server:
        first = only_answer(connect(server), ask_for("glands"))
    again = only_answer(connect(server.url), ask_for("glands"))  # the server is gone
    assert (again.text, again.ledger_id, again.cached, first.cached) == (first.text, first.ledger_id, True, False)


@pytest.mark.parametrize("changed", [{"max_tokens": 9}, {"sample": 2}, {"top_logprobs": 5}, {"temperature": 0.7}])
def test_whatever_changes_the_answer_is_asked_anew(connect: Connect, changed: dict[str, float]) -> None:
    with ScriptedEndpoint(echo) as server:
        only_answer(connect(server), ask_for("glands"))
        only_answer(connect(server), ask_for("glands", **changed))
    assert len(server.calls) == 2


def test_an_endpoint_that_nobody_serves_ends_the_run_at_the_first_request(connect: Connect) -> None:
    with ScriptedEndpoint(echo) as server:
        url = server.url
    with pytest.raises(EndpointError, match="cannot be reached"):
        connect(url, attempts=2).ask([ask_for("glands")])


@pytest.mark.parametrize("fault", ["throttle", "fail", "garbage", "drop"])
def test_a_passing_fault_is_tried_again(connect: Connect, fault: Fault) -> None:
    with at_first(fault, 2) as server:
        assert only_answer(connect(server), ask_for("glands")).text == "glands"
    assert len(server.calls) == 3


def test_a_server_that_is_away_is_waited_for_whatever_chance_says(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, _high: low)
    with at_first("drop", 4) as server:
        started = time.monotonic()
        only_answer(connect(server, backoff_s=0.04), ask_for("glands"))
        assert time.monotonic() - started >= 0.02 * (1 + 2 + 4 + 8)


def test_retry_after_is_obeyed_by_all_callers(connect: Connect) -> None:
    throttled: list[str] = []

    def once(digest: str, _before: int) -> Fault | None:
        throttled.append(digest)
        return "throttle" if len(throttled) == 1 else None

    with ScriptedEndpoint(echo, once, retry_after_s=0.3) as server:
        started = time.monotonic()
        connect(server, concurrency=1).ask([ask_for("one"), ask_for("two")])
        assert time.monotonic() - started >= 0.3
    assert len(server.calls) == 3


def test_a_wait_longer_than_permitted_is_a_failure(connect: Connect) -> None:
    with at_first("throttle") as server:
        server.retry_after_s = 3600
        assert only_failure(connect(server), ask_for("glands")).reason == "endpoint_failed"
    assert len(server.calls) == 1


def test_silence_is_a_timeout_and_tried_again(connect: Connect) -> None:
    with at_first("hang") as server:
        assert only_answer(connect(server, timeout_s=0.3), ask_for("glands")).text == "glands"


def test_a_lasting_fault_becomes_a_rejection(connect: Connect) -> None:
    with at_first("fail", 99) as server:
        row = only_failure(connect(server, attempts=3), ask_for("glands")).rejection()
    assert len(server.calls) == 3
    assert (row.item_id, row.stage, row.reason) == ("item-glands", "generation", "endpoint_failed")
    assert "HTTP 503" in row.detail


def test_a_declined_request_is_not_tried_again(connect: Connect) -> None:
    with at_first("decline", 99) as server:
        assert "HTTP 400" in only_failure(connect(server), ask_for("glands")).detail
    assert len(server.calls) == 1


def test_a_refusal_becomes_a_rejection(connect: Connect) -> None:
    with at_first("refuse") as server:
        assert only_failure(connect(server), ask_for("glands", reply=Sentence)).reason == "refused"
    assert len(server.calls) == 1


def test_a_malformed_answer_is_repaired_once_with_its_fault_named(connect: Connect) -> None:
    with at_first("nonsense") as server:
        answer = only_answer(connect(server), ask_for("glands", reply=Sentence))
    assert isinstance(answer.value, Sentence)
    repair = server.calls[1].body["messages"]
    assert [message["role"] for message in repair] == ["user", "assistant", "user"]
    assert "cannot be used" in repair[-1]["content"]


def test_an_answer_malformed_twice_becomes_a_rejection_and_is_not_asked_again(connect: Connect) -> None:
    with ScriptedEndpoint(lambda _body: Said('{"sentence": 1, "more": 2}')) as server:
        for _ in range(2):
            assert only_failure(connect(server), ask_for("glands", reply=Sentence)).reason == "malformed_answer"
    assert len(server.calls) == 2


def test_a_dead_endpoint_ends_the_run_instead_of_rejecting_everything(connect: Connect) -> None:
    with at_first("fail", 99) as server, pytest.raises(EndpointError, match="in a row failed"):
        connect(server, attempts=1).ask([ask_for(f"text {n}") for n in range(100)])
    assert len(server.calls) < 16


def test_the_key_comes_from_the_environment_and_is_written_nowhere(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    secret = "sk-this-must-not-be-seen"  # noqa: S105
    with at_first("unauthorised", 99) as server, pytest.raises(ConfigError, match="ENDPOINT_KEY is not set"):
        connect(server, api_key_env="ENDPOINT_KEY").ask([ask_for("glands")])
    monkeypatch.setenv("ENDPOINT_KEY", secret)
    with ScriptedEndpoint(lambda body: Said(last_words(body)), lambda _d, before: None if before else "fail") as server:
        only_answer(connect(server, api_key_env="ENDPOINT_KEY"), ask_for("glands"))
    assert server.calls[0].authorization == f"Bearer {secret}"
    with at_first("unauthorised", 99) as server, pytest.raises(EndpointError, match="does not accept the key") as error:
        connect(server, api_key_env="ENDPOINT_KEY").ask([ask_for("stroma")])
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert not [text for text in [*written, caplog.text, str(error.value)] if secret in text]


def test_answers_are_untrusted_text(connect: Connect) -> None:
    said = "a\x00b\u202ec\ue000d {{ 7 * 7 }} <script>"
    with ScriptedEndpoint(lambda _body: Said(said)) as server:
        assert only_answer(connect(server), ask_for("glands")).text == "abcd {{ 7 * 7 }} <script>"
    with ScriptedEndpoint(lambda _body: Said("[" * 50_000)) as server:
        assert only_failure(connect(server), ask_for("deep", reply=Sentence)).reason == "malformed_answer"


@pytest.mark.parametrize("around", ["```json\n{}\n```", "<think>\nIs it {{}}? Yes.\n</think>\n\n{}", "\n{}\n"])
def test_json_is_read_from_what_models_put_around_it(connect: Connect, around: str) -> None:
    with ScriptedEndpoint(lambda _body: Said(around.format('{"sentence": "glands"}'))) as server:
        assert only_answer(connect(server), ask_for("?", reply=Sentence)).value == Sentence(sentence="glands")


def test_an_answer_that_never_comes_to_its_point_is_malformed(connect: Connect) -> None:
    with ScriptedEndpoint(lambda _body: Said("<think> It could be")) as server:
        assert only_failure(connect(server), ask_for("?")).detail == "the answer is empty"


def test_a_server_is_sent_no_key_nor_account_of_another_one(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, f"of-another-server-{name}")
    with ScriptedEndpoint(echo) as server:
        only_answer(connect(server), ask_for("glands"))
    sent = server.calls[0].headers
    assert "another" not in str(sent)
    assert not {"openai-organization", "openai-project"} & sent.keys()


def test_letters_get_the_probabilities_of_their_tokens(connect: Connect) -> None:
    tokens = {"A": -0.1, " A": -5.0, "B": -3.0, "The": -4.0}
    with ScriptedEndpoint(lambda _body: Said("A", tokens)) as server:
        answer = only_answer(connect(server), ask_for("which?", top_logprobs=4))
        plain = only_answer(connect(server), ask_for("which?"))
    found = letter_logprobs(answer, "ABC")
    assert found is not None
    assert found[0] > found[1] > found[2]
    assert sum(map(math.exp, found)) == pytest.approx(1.0)
    assert server.calls[0].body["top_logprobs"] == 4
    assert letter_logprobs(plain, "ABC") is None


@pytest.mark.parametrize("ruled_out", [-9999.0, -math.inf])
def test_letters_that_a_server_rules_out_have_next_to_no_probability(ruled_out: float) -> None:
    answer = Answer("A", None, "", "m", "stop", {"A": 0.0, "B": ruled_out, "The": ruled_out}, cached=False)
    found = letter_logprobs(answer, "ABC")
    assert found is not None
    assert all(map(math.isfinite, found))
    assert found[0] == pytest.approx(0.0, abs=1e-9)
    assert found[1] == found[2] < -20


@pytest.mark.parametrize(
    ("text", "letter"),
    [("B", "B"), (" (b) stroma", "B"), ("Answer: C", "C"), ("A gland", None), ("E.", None), ("none", None)],
)
def test_the_chosen_letter_is_read_from_an_answer(text: str, letter: str | None) -> None:
    assert chosen_letter(text, "ABCD") == letter


def test_what_decides_an_answer_is_in_the_key_and_is_sent() -> None:
    config = EndpointConfig.model_validate({"base_url": "http://localhost/v1", "model": "m", "temperature": 0.7})
    plain, sampled = ask_for("glands"), ask_for("glands", sample=3, temperature=0.0)
    images = [(b"one", b"two"), (b"one", b"three")]
    shown = [Request("i", "generation", (Message("user", "glands", both),)) for both in images]
    keys = {request_key(request, config) for request in (plain, sampled, *shown)}
    assert len(keys | {request_key(plain, config.model_copy(update={"structured": "json_object"}))}) == 5
    body = body_of(sampled, config)
    assert (body["seed"], body["temperature"]) == (3, 0.0)
    assert body_of(plain, config)["temperature"] == 0.7
    assert "seed" not in body_of(plain, config)


def test_estimates_add_up_and_one_unknown_price_makes_the_sum_unknown() -> None:
    one, two = Estimate(1, 2, 3, 4, 5, 0.5), Estimate(10, 20, 30, 40, 50, 0.25)
    assert one + two == Estimate(11, 22, 33, 44, 55, 0.75)
    free = Estimate(cost=None)
    assert (one + free).cost is (free + one).cost is None


def test_a_rehearsal_counts_what_is_not_answered_and_sends_nothing(connect: Connect, tmp_path: Path) -> None:
    requests = [ask_for(f"text {n}", max_tokens=100) for n in range(5)]
    with ScriptedEndpoint(echo) as server:
        client = connect(server, prices={"input": 1, "output": 10}, api_key_env=None)
        client.ask(requests[:2])
    unset = client.config.model_copy(update={"api_key_env": "NOT_SET"})
    rehearsal = Rehearsal(unset, tmp_path / "endpoint")
    outcomes = rehearsal.ask([*requests, requests[4]])
    estimate = rehearsal.so_far()
    assert [isinstance(outcome, Answer) for outcome in outcomes] == [True, True, False, False, False, False]
    assert (estimate.requests, estimate.stored, estimate.calls, estimate.completion_tokens) == (5, 2, 3, 300)
    assert estimate.cost == pytest.approx((estimate.prompt_tokens + 10 * 300) / 1e6)
    assert len(server.calls) == client.spent().calls == 2
