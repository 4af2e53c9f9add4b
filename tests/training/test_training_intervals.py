from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.intervals import clustered_mean


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcde")), min_size=1, max_size=60))
def test_an_interval_holds_its_mean_and_stays_within_bounds(items: list[tuple[bool, str]]) -> None:
    estimate = clustered_mean([float(right) for right, _ in items], [patient for _, patient in items])
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.clusters == len({patient for _, patient in items})


def test_one_patient_says_nothing_of_others() -> None:
    estimate = clustered_mean([1.0, 0.0, 1.0], ["p", "p", "p"])
    assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_alike_patients_leave_more_doubt_than_independent_items() -> None:
    scores = [1.0] * 50 + [0.0] * 50
    within = clustered_mean(scores, [f"p{place // 10}" for place in range(100)])
    independent = clustered_mean(scores, [f"p{place}" for place in range(100)])
    assert within.high - within.low > 1.5 * (independent.high - independent.low)


def test_all_right_is_not_certain() -> None:
    estimate = clustered_mean([1.0] * 30, [f"p{place % 6}" for place in range(30)])
    assert estimate.low < 0.95
    assert estimate.high == 1.0


def test_nineteen_of_twenty_intervals_cover_the_truth() -> None:
    draws = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        rates = draws.beta(7, 3, size=20)
        scores = [float(draws.random() < rate) for rate in rates for _ in range(15)]
        estimate = clustered_mean(scores, [f"p{place // 15}" for place in range(300)])
        covered += estimate.low <= 0.7 <= estimate.high
    assert 0.91 <= covered / 400 <= 0.99


def test_no_items_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no items"):
        clustered_mean([], [])
