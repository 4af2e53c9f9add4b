from __future__ import annotations

from dataclasses import replace

from schemas.records import Provenance, Question
from tasks.review.audit import draw_audit
from tasks.review.events import verify_chain
from tasks.review.queue import open_queue

QUESTION = Question(
    "mcq_0", "field_1", "slide_1", "p1", "diagnosis", "t", "fixed", ("low",), "Which?", ("one", "two", "three", "four"),
    ("", "", "", ""), 1, "because", ("feat_1",), None, "diagnosis/t/rules", "train", 0, Provenance("rules"),
)  # fmt: skip
QUESTIONS = [replace(QUESTION, question_id=f"mcq_{number}") for number in range(100)]


def drawn(questions: list[Question], items: int = 10, seed: int = 0) -> list[str]:
    return [entry["item_id"] for entry in draw_audit(questions, {"mcq_3"}, items, seed)]


def test_the_audit_draws_so_many_distinct_questions_that_are_not_flagged() -> None:
    ids = drawn(QUESTIONS, 99)
    assert len(set(ids)) == 99
    assert "mcq_3" not in ids
    assert len(drawn(QUESTIONS, 500)) == 99


def test_the_draw_follows_the_seed_and_not_the_order() -> None:
    assert drawn(QUESTIONS) == drawn(QUESTIONS[::-1])
    assert drawn(QUESTIONS) != drawn(QUESTIONS, seed=1)


def test_new_questions_move_few_of_the_drawn() -> None:
    assert len(set(drawn(QUESTIONS[:95])) & set(drawn(QUESTIONS))) >= 7


def test_audited_questions_stand_in_the_queue_with_their_reason() -> None:
    events = open_queue(draw_audit(QUESTIONS, set(), 5, 0), at="2026-01-01T00:00:00Z")
    verify_chain(events)
    assert len(events) == 5
    assert all("random sample" in event.payload for event in events)
