from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ReviewError
from schemas.records import Question, Rejection, ReviewEvent
from tasks.review.config import ReviewConfig
from tasks.review.decisions import apply_decisions, read_decisions
from tasks.review.events import new_event, write_events
from tasks.review.queue import open_queue

AT = "2026-01-02T03:04:05Z"
Ask = Callable[..., Question]
HOLD, RELEASE = ReviewConfig(undecided="hold"), ReviewConfig(undecided="release")


class Log:
    """Writes what reviewers do, in order."""

    def __init__(self) -> None:
        self.events: list[ReviewEvent] = []

    def add(self, item: str, reviewer: str, kind: Any, payload: dict[str, Any]) -> ReviewEvent:
        previous = self.events[-1].event_id if self.events else ""
        self.events.append(new_event(item, reviewer, kind, payload, at=AT, previous=previous))
        return self.events[-1]

    def decide(self, item: str, reviewer: str, decision: str, **more: Any) -> ReviewEvent:
        self.add(item, reviewer, "blind", {"answer": 0})
        return self.add(item, reviewer, "verdict", {"decision": decision, **more})


def queue_of(*names: str) -> list[ReviewEvent]:
    reasons = [{"reader": "tfidf", "p": 0.8, "cue": "wording"}]
    return open_queue([{"item_id": name, "cell": "c", "reasons": reasons} for name in names], at=AT)


def apply(
    questions: list[Question], flagged: list[str], log: Log, config: ReviewConfig
) -> tuple[list[Question], dict[str, str]]:
    kept, rejections = apply_decisions(questions, queue_of(*flagged), log.events, config)
    assert len(kept) + len(rejections) == len(questions)
    return kept, {row.item_id: row.reason for row in rejections}


def test_undecided_items_are_held_or_released_as_configured(ask: Ask) -> None:
    questions = [ask("a", option_set=None), ask("b", option_set=None)]
    assert apply(questions, ["a"], Log(), HOLD) == ([questions[1]], {"a": "awaiting_review"})
    assert apply(questions, ["a"], Log(), RELEASE) == (questions, {})


def test_accepted_items_stay_and_rejected_ones_go_with_the_reason(ask: Ask) -> None:
    questions = [ask("a", option_set=None), ask("b", option_set=None)]
    log = Log()
    log.decide("a", "ann", "accept")
    log.decide("b", "ann", "reject", reason="two options fit")
    kept, rejections = apply_decisions(questions, queue_of("a", "b"), log.events, HOLD)
    assert kept == [questions[0]]
    assert rejections == [Rejection("b", "review", "rejected_by_reviewer", "two options fit")]


def test_an_undone_verdict_does_not_count(ask: Ask) -> None:
    log = Log()
    verdict = log.decide("a", "ann", "reject", reason="blurred")
    log.add("a", "ann", "undo", {"event_id": verdict.event_id})
    assert apply([ask("a", option_set=None)], ["a"], log, HOLD)[1] == {"a": "awaiting_review"}
    log.add("a", "ann", "verdict", {"decision": "accept"})
    assert apply([ask("a", option_set=None)], ["a"], log, HOLD)[1] == {}


def test_an_edit_that_names_a_letter_waits_for_another_and_refuses_no_release(ask: Ask) -> None:
    log = Log()
    log.decide("a", "ann", "edit", edit={"rationale": "Option B is right because of its papillae."})
    kept, rejections = apply_decisions([ask("a", option_set=None)], queue_of("a"), log.events, HOLD)
    said = "the edit cannot be applied: the rationale says 'Option B'"
    assert (kept, rejections) == ([], [Rejection("a", "review", "awaiting_review", said)])


def test_a_skipped_item_is_undecided(ask: Ask) -> None:
    log = Log()
    log.decide("a", "ann", "skip")
    assert apply([ask("a", option_set=None)], ["a"], log, HOLD)[1] == {"a": "awaiting_review"}


def test_reviewers_who_differ_need_an_adjudicator(ask: Ask) -> None:
    question = ask("a", option_set=None)
    log = Log()
    log.decide("a", "ann", "accept")
    log.decide("a", "ben", "reject", reason="two keys")
    assert apply([question], ["a"], log, HOLD)[1] == {"a": "awaiting_review"}
    log.add("a", "eve", "adjudicate", {"decision": "accept"})
    assert apply([question], ["a"], log, HOLD) == ([question], {})


def test_an_edit_rewrites_the_question_and_takes_it_out_of_its_set(ask: Ask) -> None:
    log = Log()
    edit = {"options": ["solid", "cribriform"], "answer_index": 1, "rationale": "Sieve-like sheets."}
    log.decide("a", "ann", "edit", edit=edit)
    kept, lost = apply([ask("a")], ["a"], log, HOLD)
    assert lost == {}
    assert (kept[0].options, kept[0].answer_index, kept[0].rationale) == (
        ("solid", "cribriform"),
        1,
        "Sieve-like sheets.",
    )
    assert kept[0].option_concepts == ("SSG:s", "")
    assert kept[0].option_set_id is None
    assert kept[0].question == "Which pattern is seen?"
    assert '"edited_by":"ann"' in kept[0].provenance.parameters


def test_an_edit_whose_key_is_no_option_is_held_back(ask: Ask) -> None:
    log = Log()
    log.decide("a", "ann", "edit", edit={"answer_index": 3})
    assert apply([ask("a", option_set=None)], ["a"], log, RELEASE)[1] == {"a": "awaiting_review"}


def test_when_one_of_a_balanced_set_goes_its_siblings_go_too(ask: Ask) -> None:
    questions = [ask(f"{key}{n}", key=key) for n in range(2) for key in range(3)]
    elsewhere = [ask(f"val{key}", key=key, split="val") for key in range(3)]
    log = Log()
    log.decide("10", "ann", "reject", reason="folded tissue")
    kept, lost = apply(questions + elsewhere, ["10"], log, RELEASE)
    assert lost == {"10": "rejected_by_reviewer", "01": "unbalanced", "21": "unbalanced"}
    assert [question.question_id for question in kept] == ["00", "20", "11", "val0", "val1", "val2"]


def test_siblings_are_those_that_show_the_options_in_the_same_order(ask: Ask) -> None:
    questions = [ask(f"a{key}", key=key) for key in range(3)]
    turned = ("papillary", "glandular", "solid")
    questions += [replace(ask(f"b{key}", key=key), options=turned) for key in range(3)]
    log = Log()
    log.decide("a1", "ann", "reject", reason="folded tissue")
    kept, lost = apply(questions, ["a1"], log, RELEASE)
    assert lost == {"a1": "rejected_by_reviewer", "a0": "unbalanced", "a2": "unbalanced"}
    assert [question.question_id for question in kept] == ["b0", "b1", "b2"]


def test_a_set_that_came_unbalanced_is_left_alone(ask: Ask) -> None:
    questions = [ask("a", key=0), ask("b", key=0), ask("c", key=1)]
    log = Log()
    log.decide("c", "ann", "reject", reason="folded tissue")
    assert apply(questions, ["c"], log, RELEASE)[1] == {"c": "rejected_by_reviewer"}
    # Two of three options are the key equally often, the third never: no balance that could be kept.
    two = [ask(f"{key}{n}", key=key) for n in range(2) for key in range(2)]
    log.decide("00", "ann", "reject", reason="folded tissue")
    assert apply(two, ["00"], log, RELEASE)[1] == {"00": "rejected_by_reviewer"}


def test_decisions_on_items_that_are_gone_change_nothing(ask: Ask) -> None:
    log = Log()
    log.decide("gone", "ann", "reject", reason="old")
    questions = [ask("a", option_set=None)]
    assert apply(questions, [], log, HOLD) == (questions, {})


def test_decisions_are_read_only_when_the_chain_holds(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    assert read_decisions(path) == []
    log = Log()
    log.decide("a", "ann", "accept")
    write_events(path, log.events)
    assert read_decisions(path) == log.events
    path.write_text(path.read_text().replace('\\"accept\\"', '\\"skip\\"'))
    with pytest.raises(ReviewError, match="was changed"):
        read_decisions(path)
