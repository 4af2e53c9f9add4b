"""Patients are assigned to splits."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigError
from tasks.splits import add_splits, assign_splits, read_splits

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


SIZES = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 200), min_size=3, max_size=30)


@given(
    sizes=SIZES,
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


def test_what_organs_have_left_over_is_spread_over_the_splits() -> None:
    organs = {f"p{i:02}": f"organ {i % 5}" for i in range(15)}
    split_of = assign_splits(dict.fromkeys(organs, 7), shares=SHARES, seed=0, organ_of_patient=organs)
    assert min(Counter(split_of.values()).values()) >= 2


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_patient_is_placed_first_and_the_smallest_of_the_fullest_fills_an_empty_split(seed: int) -> None:
    assert assign_splits({"a": 20, "b": 20, "large": 60}, shares=SHARES, seed=seed)["large"] == "train"
    shares = {"train": 0.8, "val": 0.1, "test": 0.1}
    split_of = assign_splits({"a": 50, "b": 49, "c": 1}, shares=shares, seed=seed)
    assert split_of == {"a": "train", "b": "test", "c": "val"}


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


@pytest.mark.parametrize("shares", [{}, {"train": 0.9}, {"train": 1.2, "test": -0.2}, {"train": 1.0, "test": 0.0}])
def test_shares_that_are_not_positive_or_do_not_sum_to_one_are_an_error(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        assign_splits({"p": 1}, shares=shares, seed=0)


@settings(max_examples=50)
@given(SIZES, st.integers(0, 99))
def test_who_has_a_split_keeps_it_whoever_comes_or_goes(sizes: dict[str, int], seed: int) -> None:
    before = assign_splits(sizes, shares=SHARES, seed=seed)
    gone, new = min(sizes), {f"new{n}": n for n in range(5)}
    later = {patient: size for patient, size in sizes.items() if patient != gone} | new
    after = assign_splits(later, shares=SHARES, seed=seed, known=before)
    assert after.keys() == later.keys()
    assert {patient: split for patient, split in after.items() if patient in before} == {
        patient: split for patient, split in before.items() if patient != gone
    }


def test_one_patient_who_comes_to_others_is_assigned_beside_them_though_a_split_stays_empty() -> None:
    known = {"p": "train", "q": "train"}
    after = assign_splits({"p": 1, "q": 1, "r": 1}, shares=SHARES, seed=0, known=known)
    assert after == known | {"r": "val"}


def test_new_patients_bring_the_shares_back(tmp_path: Path) -> None:
    known = {f"p{n}": "train" for n in range(10)}
    add_splits(tmp_path / "splits.json", known)
    sizes = dict.fromkeys([*known, *(f"q{n}" for n in range(10))], 1)
    after = assign_splits(sizes, shares=SHARES, seed=0, known=read_splits(tmp_path / "splits.json"))
    assert Counter(after.values()) == {"train": 12, "val": 4, "test": 4}


@pytest.mark.parametrize(("text", "says"), [("[]", "no object"), ("{", "cannot be read"), ('{"p": 1}', "no object")])
def test_a_file_of_splits_that_is_none_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"splits.json .*{says}"):
        read_splits(path)


def _add(path: Path, number: int) -> None:
    for more in range(20):
        add_splits(path, {f"p{number}-{more}": "train"})


def test_runs_that_add_at_once_lose_nobody_and_move_nobody(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=_add, args=(path, number)) for number in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(read_splits(path)) == 80
    assert add_splits(path, {"p0-0": "test", "q": "val"}).items() >= {"p0-0": "train", "q": "val"}.items()
    assert read_splits(path)["p0-0"] == "train"
    assert sorted(each.name for each in tmp_path.iterdir()) == [".splits.json.lock", "splits.json"]


def test_a_file_of_splits_keeps_its_mode_and_a_new_one_has_that_of_the_umask(tmp_path: Path) -> None:
    new, own = tmp_path / "new.json", tmp_path / "own.json"
    own.write_text("{}")
    own.chmod(0o664)
    before = os.umask(0o027)
    try:
        for path in (new, own):
            add_splits(path, {"p": "train"})
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (new, own)] == [0o640, 0o664]


def test_a_file_of_splits_that_cannot_be_opened_is_not_called_broken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_splits(tmp_path)


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(ConfigError, match="'dev' is no split"):
        assign_splits({"p": 1}, shares=SHARES, seed=0, known={"p": "dev"})
