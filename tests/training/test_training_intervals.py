from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.intervals import beats_blind, by_group, clustered_mean


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcde")), min_size=1, max_size=60))
def test_an_interval_holds_its_mean_and_stays_within_bounds(items: list[tuple[bool, str]]) -> None:
    estimate = clustered_mean([float(right) for right, _ in items], [patient for _, patient in items])
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.clusters == len({patient for _, patient in items})


def test_one_patient_says_nothing_of_others() -> None:
    estimate = clustered_mean([1.0, 0.0, 1.0], ["p", "p", "p"])
    assert (estimate.low, estimate.high) == (0.0, 1.0)


@pytest.mark.parametrize("patients", [2, 8])
def test_the_interval_is_students_over_the_means_of_patients_with_equally_many_items(patients: int) -> None:
    from scipy.stats import t

    scores = 0.1 + np.random.default_rng(1).normal(0.0, 0.02, size=(patients, 5))
    names = [str(patient) for patient in range(patients) for _ in range(5)]
    estimate = clustered_mean(scores.ravel(), names, bounds=(-1.0, 1.0))
    expected = t(patients - 1).ppf(0.975) * scores.mean(axis=1).std(ddof=1) / np.sqrt(patients)
    assert estimate.high - estimate.value == pytest.approx(expected)
    assert estimate.value - estimate.low == pytest.approx(expected)


def test_each_group_is_told_with_its_own_patients() -> None:
    told = by_group(np.array([1.0, 0.0, 1.0, 1.0]), ["b", "b", "a", "b"], ["p", "q", "p", "q"])
    assert list(told) == ["a", "b"]
    assert [(row["n"], row["patients"], row["accuracy"]) for row in told.values()] == [(1, 1, 1.0), (3, 2, 0.6667)]


def test_seeing_beats_not_seeing_only_where_the_whole_interval_says_so() -> None:
    gain = np.array([0.5, 0.3, 0.4, 0.6] * 6)
    fields = [str(field) for field in range(24)]

    def told(difference: np.ndarray, patients: int) -> dict[str, Any]:
        return beats_blind(difference, [str(place % patients) for place in range(24)], fields)

    assert (told(gain, 2)["clustered_by"], told(gain, 2)["beats"]) == ("field", True)
    assert (told(gain, 6)["clustered_by"], told(gain, 6)["beats"]) == ("patient", True)
    assert told(gain, 2)["interval"] == told(gain, 24)["interval"] != told(gain, 6)["interval"]
    assert not told(gain - 0.43, 24)["beats"]
    assert told(gain - 0.43, 24)["difference"] > 0
    assert not told(0 * gain, 24)["beats"]


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
