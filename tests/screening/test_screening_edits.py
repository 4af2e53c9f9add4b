"""Edits by themselves: what gives the key away is held, what mends a slip is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from schemas.records import Question
from tasks.screening.config import ScreeningConfig
from tasks.screening.edits import given_away
from tests.screening.test_screening_repair import crossed, questions_of

CONFIG = ScreeningConfig()
Edit = Callable[[Question, str, random.Random], str]


def letter_of(text: str, rng: random.Random) -> int:
    return rng.choice([place for place, letter in enumerate(text[:-1]) if letter.isalpha()])


def swapped(_: Question, text: str, rng: random.Random) -> str:
    place = letter_of(text, rng)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def cut(_: Question, text: str, rng: random.Random) -> str:
    place = letter_of(text, rng)
    return text[:place] + text[place + 1 :]


def doubled(_: Question, text: str, rng: random.Random) -> str:
    place = letter_of(text, rng)
    return text[:place] + text[place] + text[place:]


SLIPS: dict[str, Edit] = {
    "swapped letters": swapped,
    "a letter too few": cut,
    "a letter too many": doubled,
    "a capital": lambda _, text, rng: text.capitalize(),
    "a full stop": lambda _, text, rng: f"{text}.",
    "a hyphen": lambda _, text, rng: text.replace(" ", "-", 1),
    "an article": lambda _, text, rng: f"the {text}",
    "a plural": lambda _, text, rng: f"{text}s",
}
GIVEAWAYS: dict[str, tuple[Edit, str]] = {
    "a long key": (lambda _, text, rng: f"{text}, which is present in this field and in no other", "length"),
    "words of the question": (lambda q, text, rng: f"{text} {max(q.question.split(), key=len)}", "question overlap"),
    "a hedge": (lambda _, text, rng: f"{text}, probably", "certainty"),
    "an absolute": (lambda _, text, rng: f"always {text}", "certainty"),
    "a denial": (lambda _, text, rng: f"not {text}", "polarity"),
    "an amount": (lambda _, text, rng: f"extensive and marked {text}", "amount"),
    "a number": (lambda _, text, rng: f"{text} 12", "surface"),
}
BASES = {"of their own": questions_of("none", "free", n=200), "counterbalanced": crossed(200, 0)}


def with_key(question: Question, edit: Edit) -> Question:
    options = list(question.options)
    rng = random.Random(question.question_id)
    options[question.answer_index] = edit(question, options[question.answer_index], rng)
    return replace(question, options=tuple(options))


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("slip", SLIPS)
def test_mending_a_slip_of_the_key_holds_nothing(base: str, slip: str) -> None:
    right = BASES[base]
    for number in range(0, 200, 40):  # some at a time: what they are compared with is as it was before the edits
        slipped = [with_key(q, SLIPS[slip]) if n // 40 == number // 40 else q for n, q in enumerate(right)]
        assert len(given_away(slipped, right, CONFIG)) <= 1  # of 40


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", GIVEAWAYS)
def test_a_key_that_alone_has_a_cue_is_held_even_if_it_is_the_only_edit(base: str, name: str) -> None:
    edit, cue = GIVEAWAYS[name]
    before = BASES[base]
    flags = given_away(before, [with_key(question, edit) for question in before], CONFIG)
    assert len(flags) >= 195
    assert sum(cue in {reason["cue"] for reason in reasons} for reasons in flags.values()) >= 195
    alone = given_away(before, [with_key(before[0], edit), *before[1:]], CONFIG)
    assert alone == {before[0].question_id: flags[before[0].question_id]}


def shortened(question: Question) -> Question:
    options = [text.split()[0] for text in question.options]
    options[question.answer_index] = question.options[question.answer_index]
    return replace(question, options=tuple(options))


def test_distractors_cut_short_give_the_key_away_as_a_long_key_does() -> None:
    before = questions_of("none", "free", n=200)
    assert len(given_away(before, [shortened(question) for question in before], CONFIG)) >= 195


@pytest.mark.parametrize("base", BASES)
def test_what_an_edit_leaves_as_it_was_or_says_in_all_options_is_not_held(base: str) -> None:
    before = BASES[base]

    def held(after: Sequence[Question]) -> int:
        return len(given_away(before, after, CONFIG))

    assert held([replace(q, question=f"Looking closely: {q.question}", rationale="It is so.") for q in before]) == 0
    assert held([replace(q, options=tuple(f"{text}, probably" for text in q.options)) for q in before]) == 0
    turned = [replace(q, answer_index=(q.answer_index + 1) % 4) for q in before]
    assert given_away(turned, before, CONFIG) == {}
    assert held([]) == 0


def test_a_cue_that_options_of_a_cell_commonly_have_alone_holds_nothing_there() -> None:
    plain = questions_of("none", "free", n=200)
    rng = random.Random(0)
    hedged = []
    for question in questions_of("none", "hedged", n=100):
        options = list(question.options)
        options[rng.randrange(4)] += ", probably"
        hedged.append(replace(question, options=tuple(options)))
    before = plain + hedged
    after = [with_key(question, GIVEAWAYS["a hedge"][0]) for question in questions_of("none", "hedged", n=100)]
    assert given_away(before, after, CONFIG) == {}
    assert len(given_away(before, [with_key(q, GIVEAWAYS["a hedge"][0]) for q in plain], CONFIG)) >= 195
