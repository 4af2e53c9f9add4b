from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from review_app.accounts import User, open_session
from tasks.review.decision_log import collect_log
from tasks.review.decisions import read_decisions
from tasks.review.desk import open_desk
from tasks.review.events import verify_chain
from tasks.review.journal import events_of
from tests.review_app.conftest import ITEMS, NO_TLS, Page

READERS = 6


@contextlib.contextmanager
def server(out: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "flows.cli", "review", "serve", "--out", str(out), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.match(r"(http://[^/]+)/enter", process.stdout.readline())
        assert found is not None
        yield process, found.group(1)
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def session(out: Path, name: str) -> str:
    with open_desk(out / "review" / "desk.sqlite") as desk:
        desk.execute("INSERT OR IGNORE INTO users (name, role, password) VALUES (?, 'annotator', '')", (name,))
        return open_session(desk, User(name, "annotator"), 1.0)


def answer_everything(url: str, token: str, heard: list[int], enough: threading.Event) -> None:
    """Answer and decide item after item; count what the server has confirmed until it is gone."""
    cookies = {"slidesmith": token}
    with httpx.Client(base_url=url, cookies=cookies, verify=NO_TLS) as client, contextlib.suppress(httpx.HTTPError):
        csrf = client.get("/").text.split('name="csrf" value="')[1].split('"')[0]
        for item in ITEMS:
            after = ""
            for verb, form in (("blind", {"answer": "1"}), ("verdict", {"decision": "accept"})):
                place = f"/items/{item.public_id}"
                fields = {"csrf": csrf, "after": after, **form}
                if client.post(f"{place}/{verb}", data=fields).status_code == 303:
                    heard.append(1)
                    if len(heard) > 20:
                        enough.set()
                after = client.get(place).text.split('name="after" value="')[1].split('"')[0]


def test_a_server_killed_among_verdicts_has_lost_none_that_it_confirmed(page: Page) -> None:
    out = page.out
    heard: list[int] = []
    enough = threading.Event()
    with server(out) as (process, url):
        tokens = [session(out, f"reader{n}") for n in range(READERS)]
        threads = [threading.Thread(target=answer_everything, args=(url, token, heard, enough)) for token in tokens]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join(30)
    log = out / "review" / "decisions.jsonl"
    with log.open("ab") as stream:
        stream.write(b'{"event_id":"torn by the ki')
    with open_desk(out / "review" / "desk.sqlite") as desk:
        events = events_of(desk)
        verify_chain(events, previous="")
        assert len(heard) <= len(events) <= len(heard) + READERS
        assert desk.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    collect_log(out / "review")
    assert read_decisions(log) == events
    assert page.client("reader0").get("/").status_code == 200
