from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli import main
from schemas.errors import InputError
from tasks.review.decision_log import collect_log
from tasks.review.desk import open_desk
from tasks.review.events import read_events, write_events
from tasks.review.journal import record
from tests.review_app.conftest import ITEMS


@pytest.fixture
def run(laid_desk: Path, tmp_path: Path) -> Path:
    """A run's folder in which two readers have decided on two items."""
    out = tmp_path / "run"
    shutil.copytree(laid_desk, out)
    write_events(out / "review" / "queue.jsonl", queue())
    with open_desk(out / "review" / "desk.sqlite") as desk:
        for name in ("ann", "ben"):
            for number in (0, 1):
                event = record(desk, ITEMS[number], name, "blind", {"answer": 2 - number}, after="")
                verdict = {"decision": "reject", "reason": "the key is wrong"} if number else {"decision": "accept"}
                record(desk, ITEMS[number], name, "verdict", verdict, after=event.event_id)
    return out


def queue() -> list[Any]:
    from tasks.review.queue import open_queue

    return open_queue(
        [{"item_id": item.item_id, "cell": "c", "reasons": list(item.reasons)} for item in ITEMS],
        at="2026-01-01T00:00:00Z",
    )


def invoke(*arguments: str, typed: str | None = None) -> str:
    from flows.cli import cli

    result = CliRunner().invoke(cli, ["review", *arguments], input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_status_verifies_and_counts(run: Path) -> None:
    told = json.loads(invoke("status", "--out", str(run), "--json"))
    assert told["states"] == {"accept": 1, "reject": 1, "to_read": 10}
    assert (told["items"], told["flagged"], told["events"]) == (12, 12, 8)
    assert told["rejections"] == {"the key is wrong": 1}
    assert "12 items: 12 flagged, 0 drawn at random; 8 events, chain holds" in invoke("status", "--out", str(run))


def test_status_of_a_desk_that_a_kill_left_before_the_queue_counts_what_is_there(run: Path) -> None:
    with open_desk(run / "review" / "desk.sqlite") as desk:
        desk.execute("UPDATE items SET open = 0 WHERE place = 5")
    assert json.loads(invoke("status", "--out", str(run), "--json"))["states"]["to_read"] == 10


def test_without_the_pages_packages_status_works_and_users_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("review_app", "argon2", "fastapi")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("argon2", "fastapi"):
        monkeypatch.setitem(sys.modules, name, None)
    assert json.loads(invoke("status", "--out", str(run), "--json"))["events"] == 8
    for arguments in (["list"], ["add", "zoe", "--no-password"], ["remove", "ann"]):
        with pytest.raises(SystemExit) as stopped:
            main(["review", "users", *arguments, "--out", str(run)])
        assert stopped.value.code == 2
        assert ".[review]" in capsys.readouterr().err


def test_agreement_is_printed_with_intervals_and_the_human_baseline(run: Path) -> None:
    told = json.loads(invoke("agreement", "--out", str(run), "--json"))
    whole = told["agreement"][0]
    assert (whole["what"], whole["measure"], whole["value"]) == ("decision", "Krippendorff alpha", 1.0)
    assert told["human_baseline"][0]["accuracy"] == 0.5
    assert "ann, ben" in invoke("agreement", "--out", str(run))


def test_events_are_exported_as_a_table_from_the_desk_and_from_a_log(run: Path, tmp_path: Path) -> None:
    collect_log(run / "review")
    log = run / "review" / "decisions.jsonl"
    invoke("export", str(tmp_path / "one.parquet"), "--out", str(run))
    invoke("export", str(tmp_path / "two.parquet"), "--log", str(log))
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    ids = pq.read_table(tmp_path / "one.parquet")["event_id"].to_pylist()
    assert ids == [event.event_id for event in read_events(log)]


def test_users_are_added_listed_and_kept_out(run: Path) -> None:
    place = ("--out", str(run))
    assert "zoe may sign in as adjudicator" in invoke(
        "users", "add", "zoe", "--role", "adjudicator", *place, typed="long enough!\n"
    )
    assert "zoe" in invoke("users", "list", *place)
    invoke("users", "remove", "zoe", *place)
    users = json.loads(invoke("users", "list", *place, "--json"))["users"]
    assert {"name": "zoe", "role": "adjudicator", "active": False} in users
    for name, typed in (("Zoe Q", "long enough!\n"), ("zoe", "short\n"), ("system", "long enough!\n")):
        with pytest.raises(InputError):
            invoke("users", "add", name, *place, typed=typed)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "passwords in clear"),  # noqa: S104 - refused
        (["--cert", "cert.pem"], "go together"),
        (["--out", "nowhere"], "no review queue"),
    ],
)
def test_serve_refuses_what_is_not_safe(
    run: Path, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if "--out" in arguments else ["--out", str(run)]
    with pytest.raises(SystemExit) as stopped:
        main(["review", "serve", *place, *arguments])
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_another_desks_log_stops_the_server_before_anybody_reads(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "review" / "decisions.jsonl").write_text('{"event_id": "of another desk"}\n')
    with pytest.raises(SystemExit) as stopped:
        main(["review", "serve", "--out", str(run), "--port", "0"])
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip()
    assert "decisions that are not this desk's" in told
    assert "\n" not in told


def test_without_users_other_machines_are_not_listened_to(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_desk(run / "review" / "desk.sqlite") as desk:
        desk.execute("UPDATE users SET active = 0")
    with pytest.raises(SystemExit):
        main(["review", "serve", "--out", str(run), "--host", "192.0.2.1", "--behind-tls"])
    assert "nobody may sign in yet" in capsys.readouterr().err
