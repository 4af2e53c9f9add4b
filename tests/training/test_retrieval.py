from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.controls import others
from training.retrieval import chance, hits, similarities


@given(scores=st.lists(st.integers(0, 2), min_size=2, max_size=6), data=st.data())
def test_ties_count_as_the_mean_over_all_their_orders(scores: list[int], data: st.DataObject) -> None:
    true = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    found = hits(np.array([scores], dtype=float), np.array([true]))[0]
    orders = [
        sorted(range(len(scores)), key=lambda place: (-scores[place], order[place]))
        for order in itertools.permutations(range(len(scores)))
    ]
    for value, depth in zip(found, (1, 5), strict=False):
        expected = np.mean([any(true[place] for place in order[:depth]) for order in orders])
        assert value == pytest.approx(float(expected))


def test_equal_images_are_as_close_to_a_text_to_the_last_bit() -> None:
    draws = np.random.default_rng(0)
    image, texts = draws.normal(size=33), draws.normal(size=(9, 33))
    rows = similarities(np.tile(image, (17, 1)), texts)
    assert (rows == rows[0]).all()
    assert rows[0] == pytest.approx(texts @ image)


def test_chance_is_that_of_drawing_without_putting_back() -> None:
    assert chance(10, 1, 1) == pytest.approx(0.1)
    assert chance(4, 2, 2) == pytest.approx(5 / 6)
    assert chance(3, 2, 2) == 1


def test_shuffled_images_are_those_of_other_patients() -> None:
    patients = ["a", "a", "b", "c"]
    for taken in others(patients, seed=3):
        assert all(patients[place] != patient for place, patient in zip(taken, patients, strict=True))
