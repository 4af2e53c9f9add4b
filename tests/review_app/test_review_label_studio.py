"""Push and pull through Label Studio's SDK, against what a real server answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import InputError
from tasks.review.desk import fill_items, make_desk, open_desk
from tasks.review.events import verify_chain
from tasks.review.journal import events_of
from tasks.review.label_studio import labelling_config, pull_annotations, push_items, task_of
from tests.review_app.conftest import ITEMS

RECORDED = Path(__file__).resolve().parents[1] / "data" / "label_studio" / "exchange.json"
TITLE = "Recorded review"


class Recorded(BaseHTTPRequestHandler):
    """Answers as the real server did, in the recorded order; anything else is an error."""

    exchange: list[dict[str, Any]]
    sent: list[Any]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        while self.exchange[0].get("annotated"):
            self.exchange.pop(0)
        expected = self.exchange.pop(0)
        known = (self.command, self.path) == (expected["method"], expected["path"])
        assert self.headers["authorization"].startswith("Token ")
        self.sent.append(json.loads(body) if body else None)
        answer = json.dumps(expected["answer"]).encode()
        self.send_response(expected["status"] if known else 500)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = _answer  # noqa: N815 - names of http.server

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[tuple[Any, type[Recorded]]]:
    sdk = pytest.importorskip("label_studio_sdk.client", reason="label-studio-sdk is not installed ([labelstudio])")
    handler = type("Handler", (Recorded,), {"exchange": json.loads(RECORDED.read_text("utf-8")), "sent": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        client = sdk.LabelStudio(base_url=f"http://127.0.0.1:{served.server_port}", api_key="0" * 40)
        yield client, handler
        served.shutdown()


@pytest.fixture
def desk(tmp_path: Path, laid_desk: Path) -> Iterator[Any]:
    with open_desk(laid_desk / "review" / "desk.sqlite") as laid:
        tiles = [tuple(row) for row in laid.execute("SELECT * FROM tiles")]
    with make_desk(tmp_path / "desk.sqlite") as connection:
        fill_items(connection, ITEMS[:5])
        connection.executemany(f"INSERT INTO tiles VALUES ({', '.join('?' * 11)})", tiles)
        yield connection


def without_images(task: dict[str, Any]) -> dict[str, Any]:
    return {name: "data:" if str(value).startswith("data:") else value for name, value in task["data"].items()}


def test_push_pull_and_push_again(server: tuple[Any, type[Recorded]], desk: Any) -> None:
    client, handler = server
    recorded = [entry for entry in json.loads(RECORDED.read_text("utf-8")) if entry.get("sent")]
    assert push_items(desk, client, TITLE) == (2, 5, 0)
    made, imported = (body for body in handler.sent if body)
    assert made == recorded[0]["sent"] == {"title": TITLE, "label_config": labelling_config()}
    assert [without_images(task) for task in imported] == [task["data"] for task in recorded[1]["sent"]]
    assert all(
        task["data"][scale].startswith("data:image/jpeg;base64,") for task in imported for scale in ("low", "high")
    )

    found = pull_annotations(desk, client, TITLE)
    assert found == {"annotations": 5, "events": 7, "refused": []}
    events = events_of(desk)
    verify_chain(events, previous="")
    said = [(event.item_id, event.kind, json.loads(event.payload)) for event in events]
    one, two, three, four = (item.item_id for item in ITEMS[:4])
    assert said == [
        (one, "blind", {"answer": 2}),
        (one, "verdict", {"decision": "accept"}),
        (two, "blind", {"answer": 1}),
        (three, "blind", {"answer": 1}),
        (three, "verdict", {"decision": "reject", "reason": "no option is right: all are ducts"}),
        (four, "blind", {"answer": None}),
        (four, "verdict", {"decision": "reject", "reason": "the images are not good enough"}),
    ]
    assert {event.reviewer for event in events} == {"label-studio-1"}
    assert push_items(desk, client, TITLE) == (2, 0, 5)
    assert handler.exchange == []


def test_pulling_twice_brings_nothing_twice(server: tuple[Any, type[Recorded]], desk: Any) -> None:
    client, handler = server
    start = next(n for n, entry in enumerate(handler.exchange) if entry.get("annotated"))
    pulls = handler.exchange[start + 1 :]
    handler.exchange = [*pulls, *pulls]
    assert pull_annotations(desk, client, TITLE)["events"] == 7
    assert pull_annotations(desk, client, TITLE)["events"] == 0


@pytest.mark.parametrize(("first", "second"), [("solid", "papillary"), ("papillary", "solid")])
def test_an_answer_changed_after_it_was_pulled_decides_nothing(desk: Any, first: str, second: str) -> None:
    def pulled(answer: str, sound: str) -> dict[str, Any]:
        said = [{"from_name": "answer", "value": {"choices": [answer]}}]
        said += [{"from_name": "sound", "value": {"choices": [sound]}}] if sound else []
        annotation = {"completed_by": 7, "created_at": "2026-01-01T10:00:00Z", "result": said}
        task = SimpleNamespace(id=1, data={"item": ITEMS[0].public_id}, annotations=[annotation])
        projects = SimpleNamespace(list=lambda: [SimpleNamespace(id=1, title=TITLE)])
        tasks = SimpleNamespace(list=lambda **_: [task])
        return pull_annotations(desk, SimpleNamespace(projects=projects, tasks=tasks), TITLE)

    assert pulled(first, "")["events"] == 1
    refused = pulled(second, "sound")
    assert refused["events"] == 0
    assert "the answer was changed after it was pulled" in refused["refused"][0]
    assert pulled(first, "sound") == {"annotations": 1, "events": int(first == "papillary"), "refused": []}


def test_a_project_that_is_not_there_is_said_so(server: tuple[Any, type[Recorded]], desk: Any) -> None:
    with pytest.raises(InputError, match="no project 'Another'"):
        pull_annotations(desk, server[0], "Another")


def test_what_is_sent_holds_nothing_that_tells_the_key() -> None:
    for item in ITEMS[:5]:
        sent = json.dumps(task_of(item, {"low": (8.0, b"jpeg")}))
        for held_back in ("HELD-BACK", item.item_id, "negative", "answer_index", "tfidf"):
            assert held_back not in sent
        shown = [choice["value"] for choice in task_of(item, {})["data"]["choices"]]
        assert shown == [*item.options, "The images do not tell"]
