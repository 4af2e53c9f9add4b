from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from schemas.records import ReviewEvent
from tasks.review.agreement import agreement, decision_readings, human_baseline
from tasks.review.coefficients import (
    cohen,
    cohen_terms,
    estimate,
    fleiss,
    fleiss_terms,
    krippendorff,
    krippendorff_terms,
    share,
    wilson,
)
from tasks.review.events import new_event
from tasks.review.items import ReviewItem

AT = "2026-01-02T03:04:05Z"
# Fleiss 1971, table 1 as Wikipedia prints it: 10 subjects, 14 raters, 5 categories, kappa 0.210.
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip
# Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, example C: four observers, gaps, alpha 0.743.
KRIPPENDORFF = [
    (1, 1, None, 1), (2, 2, 3, 2), (3, 3, 3, 3), (3, 3, 3, 3), (2, 2, 2, 2), (1, 2, 3, 4),
    (4, 4, 4, 4), (1, 1, 2, 1), (2, 2, 2, 2), (None, 5, 5, 5), (None, None, 1, 1),
]  # fmt: skip


def test_fleiss_kappa_is_that_of_the_paper() -> None:
    units = [[category for category, n in enumerate(row) for _ in range(n)] for row in FLEISS]
    assert float(fleiss(fleiss_terms(units, 5).sum(0))) == pytest.approx(0.210, abs=5e-4)


def test_krippendorffs_alpha_is_that_of_the_paper() -> None:
    units = [[value for value in row if value is not None] for row in KRIPPENDORFF]
    assert float(krippendorff(krippendorff_terms(units, 6).sum(0))) == pytest.approx(0.743, abs=5e-4)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_cohens_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    ours = float(cohen(cohen_terms(pairs, 4).sum(0)))
    if len({value for pair in pairs for value in pair}) == 1:
        assert np.isnan(ours)
    else:
        theirs = cohen_kappa_score(*zip(*pairs, strict=True))
        assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30))
def test_with_two_readers_alpha_and_kappa_differ_by_a_known_term_only(pairs: list[tuple[int, int]]) -> None:
    alpha = float(krippendorff(krippendorff_terms(pairs, 3).sum(0)))
    kappa = float(fleiss(fleiss_terms(pairs, 3).sum(0)))
    if not np.isnan(kappa):
        assert alpha == pytest.approx(kappa + (1 - kappa) / (2 * len(pairs)), abs=1e-9)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = random.Random(3)
    held = 0
    for trial in range(120):
        patients = [str(n // 2) for n in range(80)]
        truth = [rng.randrange(3) for _ in patients]
        pairs = [(value, value if rng.random() < 0.7 else rng.randrange(3)) for value in truth]
        _, low, high = estimate(cohen_terms(pairs, 3), cohen, patients, resamples=200, seed=trial)
        assert low is not None
        assert high is not None
        held += low <= 0.7 <= high
    assert 105 <= held <= 120


def test_the_interval_of_a_share_of_independent_patients_is_two_standard_errors_to_either_side() -> None:
    right = np.array([[n % 2, 1.0] for n in range(400)])
    value, low, high = estimate(right, share, [str(n) for n in range(400)])
    assert value == 0.5
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)
    assert estimate(right[:2], share, ["p", "q"]) == (0.5, 0.0, 1.0)


def test_one_patient_or_one_opinion_gives_no_interval() -> None:
    pairs = [(0, 0), (1, 1), (0, 1)]
    assert estimate(cohen_terms(pairs, 2), cohen, ["p", "p", "p"])[1:] == (None, None)
    assert estimate(cohen_terms([(1, 1), (1, 1)], 2), cohen, ["p", "q"]) == (None, None, None)
    low, high = wilson(8, 8)
    assert 0.6 < low < 0.7
    assert high == pytest.approx(1.0)


def make(number: int, reader: str = "audit") -> ReviewItem:
    return ReviewItem(
        f"mcq_{number}", "question", ("diagnosis", "localization")[number % 2], "s", "f", f"p{number}", ("low",),
        "?", "", ("a", "b", "c", "d"), 0, "", (), (), ({"reader": reader, "p": 0.25, "cue": "c"},), 2,
    )  # fmt: skip


def log(*steps: tuple[str, str, Any, dict[str, Any]]) -> list[ReviewEvent]:
    events: list[ReviewEvent] = []
    for item, reviewer, kind, payload in steps:
        previous = events[-1].event_id if events else ""
        events.append(new_event(item, reviewer, kind, payload, at=AT, previous=previous))
    return events


def read(number: int, reviewer: str, answer: int | None, decision: str) -> Sequence[Any]:
    item = f"mcq_{number}"
    verdict = {"decision": decision, **({"reason": "r"} if decision == "reject" else {})}
    return ((item, reviewer, "blind", {"answer": answer}), (item, reviewer, "verdict", verdict))


def test_agreement_is_told_by_what_by_dimension_and_by_pair() -> None:
    steps = []
    for number in range(8):
        steps += [
            *read(number, "ann", 0, "accept"),
            *read(number, "ben", number % 4, "reject" if number > 5 else "accept"),
        ]
    rows = agreement(log(*steps), [make(number) for number in range(8)])
    told = {(row.what, row.dimension, row.measure): row for row in rows}
    assert {what for what, _, _ in told} == {"decision", "blind answer"}
    assert {dimension for _, dimension, _ in told} == {"all", "diagnosis", "localization"}
    pair = told["decision", "all", "Cohen kappa"]
    assert (pair.readers, pair.items, pair.value) == ("ann, ben", 8, 0.0)
    assert told["decision", "diagnosis", "Krippendorff alpha"].items == 4


def test_each_coefficient_is_of_the_items_that_it_can_be_told_of() -> None:
    steps = [step for number in range(4) for name in ("ann", "ben") for step in read(number, name, number, "accept")]
    steps += read(3, "eve", None, "reject")
    items = [make(number) for number in range(4)]
    told = {
        (row.what, row.measure, row.readers): row for row in agreement(log(*steps), items) if row.dimension == "all"
    }
    for what in ("decision", "blind answer"):
        assert told[what, "Krippendorff alpha", ""].items == 4
        assert told[what, "Fleiss kappa", ""].items == 3  # those that two have read, as most
        assert told[what, "Cohen kappa", "ann, eve"].items == 1
    assert told["blind answer", "Fleiss kappa", ""].value == 1.0


def test_to_edit_is_neither_to_accept_nor_to_reject() -> None:
    edit = ("mcq_0", "ben", "verdict", {"decision": "edit", "edit": {"answer_index": 1}})
    events = log(*read(0, "ann", 0, "accept"), read(0, "ben", 0, "accept")[0], edit, *read(0, "eve", 0, "reject"))
    assert len(set(decision_readings(events)["mcq_0"].values())) == 3


def test_skipped_and_taken_back_verdicts_are_no_readings() -> None:
    events = log(*read(0, "ann", 0, "accept"), *read(0, "ben", 0, "skip"), *read(1, "ann", 0, "reject"))
    events += log(("mcq_1", "ann", "undo", {"event_id": events[-1].event_id}))
    rows = agreement(events, [make(0), make(1)])
    assert [row.items for row in rows if row.what == "decision"] == [0]


def test_the_human_baseline_keeps_audited_and_flagged_items_apart() -> None:
    steps = [step for number in range(4) for step in read(number, "ann", number % 2, "accept")]
    steps += [*read(4, "ann", None, "accept")]
    rows = human_baseline(log(*steps), [*(make(n) for n in range(4)), make(4, "tfidf")])
    told = {(row["dimension"], row["sample"]): row for row in rows}
    audit, flagged = told["all", "audit"], told["all", "flagged"]
    assert (audit["answers"], audit["accuracy"], audit["chance"], audit["cannot_tell"]) == (4, 0.5, 0.25, 0.0)
    assert (flagged["answers"], flagged["accuracy"], flagged["cannot_tell"]) == (1, 0.0, 1.0)
    assert audit["low"] < 0.5 < audit["high"]
    assert ("diagnosis", "audit") in told


def test_the_baseline_counts_against_each_items_own_key_and_number_of_options() -> None:
    found_too = ({"reader": "audit", "p": 0.25, "cue": "c"}, {"reader": "tfidf", "p": 0.9, "cue": "c"})
    item = dataclasses.replace(make(0), options=("a", "b"), key=1, reasons=found_too)
    (row,) = (row for row in human_baseline(log(*read(0, "ann", 1, "accept")), [item]) if row["dimension"] == "all")
    assert (row["sample"], row["accuracy"], row["chance"]) == ("flagged", 1.0, 0.5)  # drawn for the audit, flagged too
