from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError, ReviewConflictError, ReviewError
from tasks.review import decision_log
from tasks.review.agreement import human_baseline
from tasks.review.config import ReviewConfig
from tasks.review.decision_log import collect_log, write_log
from tasks.review.decisions import read_decisions
from tasks.review.desk import fill_items, make_desk, open_desk
from tasks.review.events import new_event, verify_chain, write_events
from tasks.review.items import ReviewItem
from tasks.review.journal import events_of, record, refresh_states
from tasks.review.queue import open_queue, readers_of
from tasks.review.rescreen import hold_what_leaks
from tests.review.conftest import Ask


def make(number: int, **changes: Any) -> ReviewItem:
    held: dict[str, Any] = {"readers": 1, "kind": "question", **changes}
    return ReviewItem(
        item_id=f"mcq_{number}", dimension="diagnosis", slide_id="s", field_id="f", patient_id="p", scales=("low",),
        ask="Which?", statement="", options=("a", "b"), key=0, rationale="", evidence=(), path=("one step",),
        reasons=({"reader": "tfidf", "p": 0.9, "cue": "c"},), **held,
    )  # fmt: skip


ITEMS = [make(number) for number in range(8)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with make_desk(tmp_path / "review" / "desk.sqlite") as connection:
        fill_items(connection, ITEMS)
        yield connection


def test_readers_at_once_make_one_unbroken_chain(desk: sqlite3.Connection, tmp_path: Path) -> None:
    def read(name: str) -> None:
        with open_desk(tmp_path / "review" / "desk.sqlite") as own:
            for item in ITEMS:
                event = record(own, item, name, "blind", {"answer": 0}, after="")
                record(own, item, name, "verdict", {"decision": "accept"}, after=event.event_id)

    threads = [threading.Thread(target=read, args=(f"reader{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = events_of(desk)
    verify_chain(events, previous="")
    assert len(events) == 6 * 8 * 2


def test_runs_at_once_make_one_desk(tmp_path: Path) -> None:
    at_once = threading.Barrier(4)

    def make(number: int) -> int:
        at_once.wait(timeout=30)
        with make_desk(tmp_path / f"{number // 4}" / "desk.sqlite") as connection:
            return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])

    with ThreadPoolExecutor(4) as runs:
        assert list(runs.map(make, range(40))) == [0] * 40


def test_a_refused_event_leaves_nothing_behind(desk: sqlite3.Connection) -> None:
    with pytest.raises(ReviewConflictError, match="answer from the images first"):
        record(desk, ITEMS[0], "ann", "verdict", {"decision": "accept"}, after="")
    with pytest.raises(ReviewConflictError, match="out of date"):
        record(desk, ITEMS[0], "ann", "blind", {"answer": 0}, after="0" * 64)
    with pytest.raises(ReviewError, match="no option 3"):
        record(desk, ITEMS[0], "ann", "blind", {"answer": 2}, after="")
    assert events_of(desk) == []
    assert desk.execute("SELECT count(*) FROM standings").fetchone()[0] == 0


def test_the_log_follows_the_desk_line_by_line_and_mends_a_torn_end(desk: sqlite3.Connection, tmp_path: Path) -> None:
    log = tmp_path / "review" / "decisions.jsonl"
    assert write_log(desk, log) == 0
    assert not log.exists()
    for item in ITEMS[:3]:
        record(desk, item, "ann", "blind", {"answer": 0}, after="")
        assert write_log(desk, log) == 1
    whole = log.read_bytes()
    for torn in (whole[:-20], whole[:-1], whole + b'{"event', b"", whole[: whole.index(b"\n") // 2]):
        log.write_bytes(torn)
        write_log(desk, log)
        assert log.read_bytes() == whole
    log.write_bytes(whole + b"\n")
    record(desk, ITEMS[3], "ann", "blind", {"answer": 0}, after="")
    assert write_log(desk, log) == 1
    assert read_decisions(log) == events_of(desk)


def test_decisions_of_another_desk_are_not_written_over(desk: sqlite3.Connection, tmp_path: Path) -> None:
    log = tmp_path / "review" / "decisions.jsonl"
    other = [new_event("mcq_9", "eve", "blind", {"answer": 1}, at="2026-01-02T03:04:05Z", previous="")]
    write_events(log, other)
    with pytest.raises(ReviewError, match="not this desk's"):
        collect_log(tmp_path / "review")
    record(desk, ITEMS[0], "ann", "blind", {"answer": 0}, after="")
    with pytest.raises(ReviewError, match="not this desk's"):
        write_log(desk, log)
    assert read_decisions(log) == other


@pytest.mark.parametrize("end", ["\n", ""])
def test_decisions_that_an_older_copy_of_the_desk_lacks_stay_in_the_log(
    desk: sqlite3.Connection, tmp_path: Path, end: str
) -> None:
    record(desk, ITEMS[0], "ann", "blind", {"answer": 0}, after="")
    with make_desk(tmp_path / "copy.sqlite") as copy:
        fill_items(copy, ITEMS)
        desk.backup(copy)
        record(desk, ITEMS[1], "ann", "blind", {"answer": 0}, after="")
        log = tmp_path / "review" / "decisions.jsonl"
        write_log(desk, log)
        held = log.read_text().rstrip("\n") + end
        log.write_text(held)
        with pytest.raises(ReviewError, match="not this desk's; bring back the desk"):
            write_log(copy, log)
        assert log.read_text() == held
    assert write_log(desk, log) == (0 if end else 1)


def test_the_log_is_never_shorter_than_its_whole_lines(
    desk: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "review" / "decisions.jsonl"
    for item in ITEMS[:3]:
        record(desk, item, "ann", "blind", {"answer": 0}, after="")
    write_log(desk, log)
    whole = log.read_bytes()
    log.write_bytes(whole[:-20])
    monkeypatch.setattr(decision_log, "_TAIL_BYTES", 64)  # less than a line
    cut: list[int] = []
    truncate = os.ftruncate

    def cutting(file: int, size: int) -> None:
        cut.append(size)
        truncate(file, size)

    monkeypatch.setattr(os, "ftruncate", cutting)
    write_log(desk, log)
    assert log.read_bytes() == whole
    assert cut == [whole[:-1].rindex(b"\n") + 1]


def test_a_new_queue_keeps_what_was_said_and_closes_what_left_it(desk: sqlite3.Connection) -> None:
    event = record(desk, ITEMS[0], "ann", "blind", {"answer": 0}, after="")
    record(desk, ITEMS[0], "ann", "verdict", {"decision": "accept"}, after=event.event_id)
    fill_items(desk, [ITEMS[0], make(9)])
    rows = {row["item_id"]: (row["open"], row["state"]) for row in desk.execute("SELECT * FROM items")}
    assert rows["mcq_0"] == (1, "accept")
    assert rows["mcq_9"] == (1, "to_read")
    assert rows["mcq_1"] == (0, "to_read")
    assert len(events_of(desk)) == 2


def test_who_has_answered_an_item_is_never_read_as_having_said_something_else(desk: sqlite3.Connection) -> None:
    record(desk, ITEMS[0], "ann", "blind", {"answer": 0}, after="")
    fill_items(desk, [replace(item, options=("c", "b", "a"), key=2, rationale="new") for item in ITEMS[:2]])
    shown = [ReviewItem.from_json(row[0]) for row in desk.execute("SELECT content FROM items WHERE open")]
    assert [(item.options, item.key) for item in shown] == [(("a", "b"), 0), (("c", "b", "a"), 2)]
    assert [item.rationale for item in shown] == ["new", "new"]
    (right,) = (row for row in human_baseline(events_of(desk), shown) if row["dimension"] == "all")
    assert right["accuracy"] == 1.0


def test_a_queue_that_asks_for_a_second_reader_opens_settled_items_again(desk: sqlite3.Connection) -> None:
    event = record(desk, ITEMS[0], "ann", "blind", {"answer": 0}, after="")
    record(desk, ITEMS[0], "ann", "verdict", {"decision": "accept"}, after=event.event_id)
    for readers, state in ((2, "second"), (1, "accept")):
        fill_items(desk, [make(0, readers=readers)])
        refresh_states(desk)
        assert desk.execute("SELECT state FROM items WHERE item_id = 'mcq_0'").fetchone()[0] == state


def test_a_desk_that_is_not_there_or_not_ours_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no"), open_desk(tmp_path / "desk.sqlite"):
        pass
    sqlite3.connect(tmp_path / "desk.sqlite").close()
    with pytest.raises(InputError, match="version 0"), open_desk(tmp_path / "desk.sqlite"):
        pass


def test_about_the_share_that_was_asked_for_is_read_twice() -> None:
    twice = sum(readers_of(f"mcq_{n}", 0.25) == 2 for n in range(4000))
    assert 900 < twice < 1100
    assert {readers_of(f"mcq_{n}", 0.0) for n in range(50)} == {1}
    assert {readers_of(f"mcq_{n}", 1.0) for n in range(50)} == {2}


def test_audited_items_come_after_flagged_ones() -> None:
    entries = [
        {"item_id": f"{reader}_{n}", "cell": "", "reasons": [{"reader": reader, "p": p, "cue": ""}]}
        for reader, p in (("audit", 0.5), ("tfidf", 0.3))
        for n in range(5)
    ]
    order = [event.item_id.split("_")[0] for event in open_queue(entries, at="2026-01-01T00:00:00Z")]
    assert order == ["tfidf"] * 5 + ["audit"] * 5


def test_an_edited_question_that_is_guessed_again_is_held(ask: Ask) -> None:
    before = [ask("a", option_set=None), ask("b", option_set=None), ask("c", option_set=None)]
    kept = [replace(before[0], round=1), replace(before[1], round=1), before[2]]
    asked: list[int] = []

    def screener(questions: Any) -> Any:
        asked.append(len(questions))
        flag = [{"reader": "tfidf", "p": 0.9, "cue": "wording"}]
        return {"a": flag, "c": flag}, []

    passed, held, _ = hold_what_leaks(before, kept, screener, ReviewConfig())
    assert [question.question_id for question in passed] == ["b", "c"]
    assert [(row.item_id, row.reason) for row in held] == [("a", "leaks")]
    assert "tfidf guesses the key with 0.90 by wording" in held[0].detail
    assert hold_what_leaks(before, before, screener, ReviewConfig())[0] == before
    assert hold_what_leaks(before, kept, screener, ReviewConfig(rescreen_edits=False))[0] == kept
    assert asked == [3]


def test_items_survive_their_journey_through_json() -> None:
    assert ReviewItem.from_json(ITEMS[0].to_json()).to_json() == ITEMS[0].to_json()
    assert ITEMS[0].blind().public_id.startswith("item_")
    assert ITEMS[0].item_id not in ITEMS[0].blind().public_id
