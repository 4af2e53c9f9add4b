"""Patients are assigned to splits."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from tasks.splits import assign_splits

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


@given(
    sizes=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 200), min_size=3, max_size=30),
    seed=st.integers(0, 50),
)
def test_every_patient_has_one_split_and_no_split_is_empty(sizes: dict[str, int], seed: int) -> None:
    split_of = assign_splits(sizes, shares=SHARES, seed=seed)
    assert set(split_of) == set(sizes)
    assert set(split_of.values()) == set(SHARES)


@given(st.permutations([f"p{i}" for i in range(12)]), st.integers(0, 20))
def test_the_order_of_patients_does_not_matter(order: list[str], seed: int) -> None:
    sizes = {patient: 40 + int(patient[1:]) % 5 for patient in order}
    expected = assign_splits(dict(sorted(sizes.items())), shares=SHARES, seed=seed)
    assert assign_splits(sizes, shares=SHARES, seed=seed) == expected


def test_item_shares_come_near_the_wanted_ones() -> None:
    sizes = {f"p{i:03}": 20 + (i * 37) % 60 for i in range(100)}
    split_of = assign_splits(sizes, shares=SHARES, seed=0)
    for name, share in SHARES.items():
        got = sum(sizes[p] for p, split in split_of.items() if split == name) / sum(sizes.values())
        assert got == pytest.approx(share, abs=0.02)


def test_each_organ_stands_in_every_split_where_it_has_patients_enough() -> None:
    organs = {f"p{i:02}": ("colon", "breast", "lung")[i % 3] for i in range(12)}
    split_of = assign_splits(dict.fromkeys(organs, 100), shares=SHARES, seed=3, organ_of_patient=organs)
    for organ in ("colon", "breast", "lung"):
        assert {split_of[p] for p, o in organs.items() if o == organ} == set(SHARES)


def test_different_seeds_give_different_assignments() -> None:
    sizes = dict.fromkeys([f"p{i}" for i in range(20)], 10)
    assert len({tuple(assign_splits(sizes, shares=SHARES, seed=s).items()) for s in range(5)}) > 1


def test_a_single_patient_goes_to_train_and_the_empty_splits_are_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert assign_splits({"p": 5}, shares=SHARES, seed=0) == {"p": "train"}
    assert "val, test" in caplog.text


def test_two_patients_serve_train_and_test() -> None:
    assert set(assign_splits({"p": 5, "q": 9}, shares=SHARES, seed=0).values()) == {"train", "test"}


def test_no_patients_give_no_assignment() -> None:
    assert assign_splits({}, shares=SHARES, seed=0) == {}


@pytest.mark.parametrize("shares", [{}, {"train": 0.9}, {"train": 1.2, "test": -0.2}])
def test_shares_that_do_not_sum_to_one_are_an_error(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        assign_splits({"p": 1}, shares=shares, seed=0)
