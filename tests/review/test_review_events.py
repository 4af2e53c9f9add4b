from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ReviewError
from schemas.records import ReviewEvent
from tasks.review.events import event_line, new_event, payload_of, read_events, verify_chain, write_events
from tasks.review.queue import open_queue

AT = "2026-01-02T03:04:05Z"
FLAGGED = [
    {"item_id": "mcq_a", "cell": "c", "reasons": [{"reader": "tfidf", "p": 0.4, "cue": "wording"}]},
    {"item_id": "mcq_b", "cell": "c", "reasons": [{"reader": "ensemble", "p": 0.9, "cue": "length"}]},
    {"item_id": "mcq_a", "cell": "c", "reasons": [{"reader": "forest", "p": 0.3, "cue": "length"}]},
]


def chain(*steps: tuple[str, str, Any, dict[str, Any]]) -> list[ReviewEvent]:
    events: list[ReviewEvent] = []
    for item, reviewer, kind, payload in steps:
        previous = events[-1].event_id if events else ""
        events.append(new_event(item, reviewer, kind, payload, at=AT, previous=previous, duration_s=3))
    return events


def decided() -> list[ReviewEvent]:
    return chain(
        ("mcq_a", "ann", "blind", {"answer": 1}),
        ("mcq_a", "ann", "verdict", {"decision": "reject", "reason": "two keys"}),
        ("mcq_b", "ann", "blind", {"answer": 0}),
        ("mcq_b", "ann", "verdict", {"decision": "accept"}),
    )


def test_the_queue_opens_each_item_once_and_the_surest_first() -> None:
    queue = open_queue(FLAGGED, at=AT)
    assert [event.item_id for event in queue] == ["mcq_b", "mcq_a"]
    assert payload_of(queue[0])["reasons"] == [{"reader": "ensemble", "p": 0.9, "cue": "length"}]
    verify_chain(queue, previous="")


def test_equal_flags_in_any_order_give_equal_bytes(tmp_path: Path) -> None:
    write_events(tmp_path / "one", open_queue(FLAGGED[:2], at=AT))
    write_events(tmp_path / "two", open_queue(FLAGGED[1::-1], at=AT))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    pasted = {"decision": "reject", "reason": "no pattern:\u2028\u2029\x85solid\x0c"}
    events = chain(("mcq_a", "ann", "blind", {"answer": 1}), ("mcq_a", "ann", "verdict", pasted))
    write_events(log, events)
    assert read_events(log) == events


@given(place=st.integers(0, 3), column=st.sampled_from(["reviewer", "item_id", "at", "payload", "previous"]))
def test_any_change_of_a_past_event_breaks_the_chain(place: int, column: str) -> None:
    events = decided()
    changed: dict[str, Any] = {column: "someone else"}
    if column == "at":
        changed = {"at": "2026-01-02T03:04:06Z"}
    elif column == "payload":
        changed = {"payload": '{"answer":2,"decision":"accept"}'}
    events[place] = replace(events[place], **changed)
    with pytest.raises(ReviewError, match=f"review event {place + 1} "):
        verify_chain(events)


@given(place=st.integers(0, 2))
def test_an_event_taken_out_breaks_the_chain(place: int) -> None:
    events = decided()
    del events[place]
    with pytest.raises(ReviewError):
        verify_chain(events, previous="")


def test_events_cannot_change_places() -> None:
    first, second, *rest = decided()
    with pytest.raises(ReviewError, match="chain is broken"):
        verify_chain([second, first, *rest], previous="")


def test_a_verdict_before_the_blind_answer_is_refused() -> None:
    with pytest.raises(ReviewError, match="has not answered blind"):
        verify_chain(chain(("mcq_a", "ann", "verdict", {"decision": "accept"})))


def test_another_reviewers_blind_answer_does_not_count() -> None:
    events = chain(("mcq_a", "ann", "blind", {"answer": 0}), ("mcq_a", "ben", "verdict", {"decision": "accept"}))
    with pytest.raises(ReviewError, match="ben has not answered blind"):
        verify_chain(events)


def test_the_first_blind_answer_stands() -> None:
    events = chain(("mcq_a", "ann", "blind", {"answer": 0}), ("mcq_a", "ann", "blind", {"answer": 1}))
    with pytest.raises(ReviewError, match="answered before"):
        verify_chain(events)


def test_who_settled_an_item_does_not_answer_it_afterwards() -> None:
    events = chain(("mcq_a", "eve", "adjudicate", {"decision": "accept"}), ("mcq_a", "eve", "blind", {"answer": 1}))
    with pytest.raises(ReviewError, match="eve settled it before"):
        verify_chain(events)


def test_only_an_own_decision_can_be_undone_and_only_once() -> None:
    events = decided()
    target = events[1].event_id
    undo = new_event("mcq_a", "ann", "undo", {"event_id": target}, at=AT, previous=events[-1].event_id)
    verify_chain([*events, undo])
    twice = new_event("mcq_a", "ann", "undo", {"event_id": target}, at=AT, previous=undo.event_id)
    with pytest.raises(ReviewError, match="no such event"):
        verify_chain([*events, undo, twice])
    other = new_event("mcq_a", "ben", "undo", {"event_id": target}, at=AT, previous=events[-1].event_id)
    with pytest.raises(ReviewError, match="no such event"):
        verify_chain([*events, other])


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("blind", {}),
        ("blind", {"answer": "A"}),
        ("blind", {"answer": True}),
        ("verdict", {"decision": "maybe"}),
        ("verdict", {"decision": "reject"}),
        ("verdict", {"decision": "edit"}),
        ("verdict", {"decision": "edit", "edit": {"evidence_ids": []}}),
        ("verdict", {"decision": "edit", "edit": {"options": ["one"]}}),
        ("verdict", {"decision": "edit", "edit": {"options": ["one", "One "]}}),
        ("verdict", {"decision": "edit", "edit": {"options": ["one", ""]}}),
        ("verdict", {"decision": "edit", "edit": {"question": " "}}),
        ("adjudicate", {"decision": "edit", "edit": {"answer_index": -1}}),
        ("open", {"reasons": [{"reader": "tfidf"}]}),
        ("undo", {}),
    ],
)
def test_a_payload_that_does_not_fit_its_kind_is_refused(kind: Any, payload: dict[str, Any]) -> None:
    with pytest.raises(ReviewError, match="payload is not that of"):
        new_event("mcq_a", "ann", kind, payload, at=AT, previous="")


@pytest.mark.parametrize("at", ["yesterday", "2026-01-02", "2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05"])
def test_a_time_that_is_not_utc_is_refused(at: str) -> None:
    with pytest.raises(ReviewError, match="is no UTC time"):
        new_event("mcq_a", "ann", "blind", {"answer": 0}, at=at, previous="")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"event_id": "x"', "line 2 is not JSON"),
        ("[]", "line 2 is not a review event"),
        ('{"event_id": "x"}', "line 2 is not a review event"),
        (None, "line 2: there is no kind 'delete'"),
    ],
)
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: str | None, message: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(event_line(decided()[0]))
    row = {**json.loads(log.read_text()), "kind": "delete"}
    log.write_text(log.read_text() + (line if line is not None else json.dumps(row)) + "\n")
    with pytest.raises(ReviewError, match=message):
        read_events(log)
