"""The real screening of edits, as the flow hands it in."""

from __future__ import annotations

import random
from dataclasses import replace

from flows.close_review import _screener
from schemas.records import Question
from tasks.review.config import ReviewConfig
from tasks.review.rescreen import hold_what_leaks
from tasks.screening.config import ScreeningConfig
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


def test_an_edit_that_gives_the_key_away_is_found_and_a_fair_one_goes_on(ask: Ask) -> None:
    before = drawn(ask, 160)
    kept = []
    for number, question in enumerate(before):
        told = [
            f"{text} indeed" if place == question.answer_index else text for place, text in enumerate(question.options)
        ]
        leaky = replace(question, options=tuple(told), round=1)
        fair = replace(question, question="Which growth is seen here?", round=1)
        kept.append(leaky if number < 40 else fair if number < 80 else question)
    passed, held, verdicts = hold_what_leaks(before, kept, _screener(CONFIG), ReviewConfig())
    lost = {row.item_id for row in held}
    assert len(lost & {f"q{n}" for n in range(40)}) >= 36
    assert len(lost & {f"q{n}" for n in range(40, 80)}) <= 14
    assert all(row.reason == "leaks" and "flagged again after its edit" in row.detail for row in held)
    assert {row.round for row in verdicts} == {1}
    assert {row.question_id for row in verdicts} == {f"q{n}" for n in range(80)}
    assert len(passed) + len(held) == 160
