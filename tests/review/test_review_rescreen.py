"""The real screening of edits, as the flow hands it in."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from flows.close_review import _screener
from schemas.records import Question, Verdict
from tasks.review.config import ReviewConfig
from tasks.review.rescreen import hold_what_leaks
from tasks.screening.config import ScreeningConfig
from tasks.store import Shard, ShardStore, ShardWriter
from tests.review.conftest import Ask

CONFIG = ScreeningConfig(families=("tfidf",), certifier=None, null_draws=16, permutations=199)
WORDS = ("glandular", "solid", "papillary", "cribriform")


def drawn(ask: Ask, count: int) -> list[Question]:
    rng = random.Random(5)
    questions = []
    for number in range(count):
        options = tuple(rng.sample(WORDS, 4))
        one = replace(ask(f"q{number}", key=number % 4, option_set=None), options=options, option_concepts=("",) * 4)
        questions.append(replace(one, patient_id=f"p{number % 20}", cell="diagnosis/edited/rules"))
    return questions


def screened_twice(folder: Path, questions: list[Question]) -> Shard:
    """Return a screening in which another cell fell in round 0, so that these were read again in round 1."""

    def make(out: ShardWriter) -> None:
        rows = [Verdict(question.question_id, "tfidf", "lexical", 0.3, 0, 0, 0.0, False, 1) for question in questions]
        out.write_records("verdicts", rows, Verdict)
        out.write_records("questions", questions, Question)
        out.count(items_in=0, items_out=0, rejections=[])

    store = ShardStore(folder)
    store.ensure("screening", "key", make)
    return store.open("screening", "key")


def test_an_edit_that_gives_the_key_away_is_found_and_a_fair_one_goes_on(ask: Ask, tmp_path: Path) -> None:
    before = drawn(ask, 160)
    kept = []
    for number, question in enumerate(before):
        told = [
            f"{text} indeed" if place == question.answer_index else text for place, text in enumerate(question.options)
        ]
        leaky = replace(question, options=tuple(told), round=1)
        fair = replace(question, question="Which growth is seen here?", round=1)
        kept.append(leaky if number < 40 else fair if number < 80 else question)
    screener = _screener(CONFIG, screened_twice(tmp_path, before))
    passed, held, verdicts = hold_what_leaks(before, kept, screener, ReviewConfig())
    lost = {row.item_id for row in held}
    assert len(lost & {f"q{n}" for n in range(40)}) >= 36
    assert len(lost & {f"q{n}" for n in range(40, 80)}) <= 14
    assert all(row.reason == "leaks" and "flagged again after its edit" in row.detail for row in held)
    assert {row.round for row in verdicts} == {2}  # the gate takes one verdict per question, reader and round
    assert {row.question_id for row in verdicts} == {f"q{n}" for n in range(80)}
    assert len(passed) + len(held) == 160


def test_one_edit_alone_is_held_where_it_gives_the_key_away(ask: Ask, tmp_path: Path) -> None:
    before = drawn(ask, 160)
    options = list(before[0].options)
    options[before[0].answer_index] += ", which is clearly present in this field and in no other"
    kept = [
        replace(before[0], options=tuple(options), round=1),
        replace(before[1], question="Which growth is seen here?", round=1),
        *before[2:],
    ]
    screener = _screener(CONFIG, screened_twice(tmp_path, before))
    passed, held, _ = hold_what_leaks(before, kept, screener, ReviewConfig())
    assert [row.item_id for row in held] == ["q0"]
    assert "most characters guesses the key with 1.00 by length" in held[0].detail
    assert [question.question_id for question in passed] == [question.question_id for question in before[1:]]
