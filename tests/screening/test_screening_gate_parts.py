"""The parts that the two gates are made of, each against what it is defined by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import chi2

from tasks.screening.conditional import calibrate
from tasks.screening.config import ScreeningConfig
from tasks.screening.gates import (
    _flagged,
    _null_moments,
    _pools,
    _reads,
    _tail,
    _verdicts,
    cell_gate,
    item_gate,
    strata_of,
)
from tasks.screening.items import Item, Panel, panel_of

CONFIG = ScreeningConfig(permutations=199)


def panel_with(keys: np.ndarray, cell: str = "all", kind: str = "all") -> Panel:
    return panel_of(
        [Item(str(i), "?", tuple("abcd"), int(key), f"p{i}", cell=cell, type=kind) for i, key in enumerate(keys)]
    )


def test_the_slope_of_each_pool_is_the_best_one_and_never_below_zero() -> None:
    rng = np.random.default_rng(0)
    panel = panel_with(rng.integers(4, size=300))
    pool = np.arange(300) % 3
    scores = rng.normal(size=(1200, 1))
    scores[panel.key_row, 0] += np.array([1.5, 0.4, -0.8])[pool]
    slopes = calibrate(scores, panel, panel.key_row, pool, 3)
    table = scores.reshape(300, 4)
    for number in range(2):
        part, keys = table[pool == number], panel.key_row[pool == number] % 4

        def loss(slope: float, part: np.ndarray = part, keys: np.ndarray = keys) -> float:
            of_keys = slope * part[np.arange(len(keys)), keys]
            return float((logsumexp(slope * part, axis=1) - of_keys).sum() + slope**2 / 2)

        assert slopes[number, 0] == pytest.approx(minimize_scalar(loss, bounds=(0, 9), method="bounded").x, abs=0.01)
    assert slopes[2, 0] == 0.0


def test_a_reader_differs_only_below_the_significance_and_passes_up_to_the_margin() -> None:
    low, high = np.array([0.40, 0.40, 0.22, 0.22, 0.40]), np.array([0.50, 0.50, 0.30, 0.3001, 0.50])
    p = np.array([CONFIG.significance, 0.99 * CONFIG.significance, 0.0, 0.5, 1.0])
    found = _verdicts((low + high) / 2, low, high, p, 0.25, CONFIG)
    assert found == ["too few", "fail", "pass", "too few", "too few"]


def test_the_moments_of_a_credit_are_those_of_drawing_the_key_at_random() -> None:
    panel = panel_with(np.zeros(4, dtype=int))
    scores = np.array([[3, 1, 1, 1], [3, 3, 1, 1], [3, 3, 3, 1], [3, 3, 3, 3]], dtype=float).reshape(16, 1)
    second, third = _null_moments(scores, panel)
    for tied in (1, 2, 3, 4):
        credit = np.array([1 / tied] * tied + [0.0] * (4 - tied))
        assert second[tied - 1, 0] == pytest.approx(credit.var())
        assert third[tied - 1, 0] == pytest.approx(((credit - 0.25) ** 3).mean())


def test_a_tail_counts_what_is_as_large_and_flags_are_below_that_of_the_null() -> None:
    null = np.arange(100.0)[:, None]
    assert _tail(np.array([[99.0], [98.5], [0.0], [200.0]]), null).ravel().tolist() == [0.01, 0.01, 1.0, 0.0]
    assert _flagged(np.array([[90.0], [89.0], [-np.inf]]), null, 0.10).ravel().tolist() == [True, False, False]


@pytest.mark.parametrize("readers", [1, 2, 8])
def test_a_reader_knows_a_pool_where_the_likelihood_ratio_says_so_for_all_readers_of_its_tier(readers: int) -> None:
    needed = chi2.isf(2 * 0.05 / readers, 1) / (2 * np.log(2))
    bits = np.repeat([[1.01 * needed / 4], [0.99 * needed / 4]], 4, axis=0) * np.ones(readers)
    assert _reads(bits, np.repeat([0, 1], 4), 2, 0.05).tolist() == [[True] * readers, [False] * readers]


def test_a_key_that_a_reader_only_finds_together_with_another_option_is_not_flagged() -> None:
    panel = panel_with(np.random.default_rng(1).integers(4, size=200))
    scores = np.zeros((800, 1))
    scores[panel.key_row] = 1.0
    scores[panel.starts + (panel.key_row - panel.starts + 1) % 4] = 1.0
    gate = item_gate(scores, np.array(["fitted"]), panel, CONFIG)
    assert gate.pvi_bits.min() > 0.9
    assert not gate.flagged.any()


def test_a_cell_of_just_enough_items_is_judged_by_itself() -> None:
    small, large = (panel_with(np.zeros(n, dtype=int), kind="kind") for n in (CONFIG.min_items - 1, CONFIG.min_items))
    scores = np.tile([1.0, 0, 0, 0], CONFIG.min_items)[:, None]
    assert cell_gate(scores, ("first",), ("rule",), large, CONFIG)[0].verdict == "fail"
    assert cell_gate(scores[:-4], ("first",), ("rule",), small, CONFIG)[0].verdict == "too few"
    assert set(_pools(large, CONFIG.min_items)[0]) == {0}
    assert set(_pools(small, CONFIG.min_items)[0]) == {1}  # the pool that small cells share
    assert [(level, name, len(part)) for level, name, part in strata_of(large)] == [
        ("cell", "all", CONFIG.min_items),
        ("type", "kind", CONFIG.min_items),
    ]


def test_tiers_share_the_rate_of_false_flags() -> None:
    rng = np.random.default_rng(1)
    panel = panel_with(rng.integers(4, size=200))
    scores = rng.normal(size=(800, 2))
    scores[panel.key_row] += 0.3
    config = CONFIG.model_copy(update={"min_bits": 0.0})
    alone = item_gate(scores[:, :1], np.array(["rule"]), panel, config).flagged[:, 0]
    beside = item_gate(scores, np.array(["rule", "fitted"]), panel, config).flagged[:, 0]
    assert 0 < beside.sum() < alone.sum()
    assert not (beside & ~alone).any()
