from __future__ import annotations

import numpy as np
import pytest

from tasks.screening.config import ScreeningConfig
from tasks.screening.gates import cell_gate, item_gate
from tasks.screening.intervals import (
    _observed_ratio,
    _ratio,
    _surprise,
    adjusted_p,
    clustered_interval,
    fold_inflation,
)
from tasks.screening.items import Item, Panel, panel_of

CONFIG = ScreeningConfig(permutations=399)


def panel_with(keys: np.ndarray, groups: np.ndarray, k: int = 4) -> Panel:
    options = tuple("abcdefgh"[:k])
    return panel_of([Item(str(i), "?", options, int(key), f"p{groups[i]}") for i, key in enumerate(keys)])


def drawn(rng: np.random.Generator, n: int, groups: int, spread: float, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw right and wrong answers whose rate differs from group to group, with mean p."""
    group = rng.integers(groups, size=n)
    rate = np.clip(p + spread * rng.standard_normal(groups), 0, 1)
    return (rng.random(n) < rate[group]).astype(float)[:, None], group


@pytest.mark.parametrize(
    ("groups", "spread", "p"), [(400, 0.0, 0.25), (12, 0.0, 0.25), (30, 0.12, 0.4), (60, 0.0, 0.02)]
)
def test_the_interval_covers_the_truth_as_often_as_it_says(groups: int, spread: float, p: float) -> None:
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(400):
        credit, group = drawn(rng, 400, groups, spread, p)
        found = clustered_interval(credit, group, confidence=0.90)
        covered.append(found.low[0] <= p <= found.high[0])
    assert 0.865 <= np.mean(covered) <= 0.96  # 0.90 within three standard errors, or wider where groups are few


def test_an_interval_does_not_shrink_to_nothing_at_the_ends() -> None:
    found = clustered_interval(np.ones((50, 1)), np.arange(50), confidence=0.90)
    assert found.high[0] == pytest.approx(1.0)
    assert 0.9 < found.low[0] < 1.0


def test_one_patient_alone_tells_nothing() -> None:
    found = clustered_interval(np.ones((50, 1)), np.zeros(50, dtype=int), confidence=0.90)
    assert (found.low[0], found.high[0]) == (0.0, 1.0)


def test_balanced_groups_give_the_exact_rate() -> None:
    credit = np.tile([1.0, 0, 0, 0], 20)[:, None]
    found = clustered_interval(credit, np.repeat(np.arange(20), 4), confidence=0.90)
    assert (found.low[0], found.high[0]) == (0.25, 0.25)


def test_an_interval_is_the_score_interval_at_the_effective_number_of_items() -> None:
    from scipy.stats import t

    credit = np.random.default_rng(2).random((60, 1)) < np.repeat([0.1, 0.3, 0.5, 0.7, 0.2, 0.4], 10)[:, None]
    group = np.repeat(np.arange(6), 10)
    found = clustered_interval(credit.astype(float), group, confidence=0.90)
    # Of groups of equal size the variance is that of the mean of their means.
    means = credit.reshape(6, 10).mean(axis=1)
    assert found.error[0] == pytest.approx(means.std(ddof=1) / np.sqrt(6))
    effective = found.accuracy[0] * (1 - found.accuracy[0]) / found.error[0] ** 2
    for end in (found.low[0], found.high[0]):
        assert abs(found.accuracy[0] - end) == pytest.approx(t.ppf(0.95, 5) * np.sqrt(end * (1 - end) / effective))
    wider = clustered_interval(credit.astype(float), group, confidence=0.90, inflation=4.0)
    assert wider.error[0] == pytest.approx(2 * found.error[0])
    assert fold_inflation(5) == pytest.approx((1 / 5 + 1 / 4) / (1 / 5))


def adjusted(rng: np.random.Generator, n: int, groups: int, readers: int, parts: int) -> float:
    made = []
    for _ in range(parts):
        hits = (rng.integers(4, size=(n, readers)) == 0).astype(float)
        second, third = np.full((n, readers), 0.1875), np.full((n, readers), 0.09375)
        made.append((hits - 0.25, (second, third), rng.integers(groups, size=n)))
    tests = adjusted_p(made, permutations=299, seed=int(rng.integers(1 << 30)), min_groups=5)
    return float(min(p.min() for p in tests))


@pytest.mark.parametrize(("n", "groups"), [(120, 5000), (120, 10)])
def test_the_adjusted_p_is_calibrated_over_readers_and_cells(n: int, groups: int) -> None:
    rng = np.random.default_rng(11)
    least = np.array([adjusted(rng, n, groups, readers=6, parts=2) for _ in range(250)])
    assert np.mean(least < 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)
    assert 0.5 - 0.13 <= np.mean(least < 0.5) <= 0.5 + 0.13


def test_the_statistic_of_a_sign_flip_is_students_of_the_sums_of_groups() -> None:
    from scipy.stats import ttest_1samp

    sums = np.random.default_rng(4).normal(0.4, 1.0, size=(9, 3))
    found = _surprise(_ratio(sums, np.ones((1, 9)))[0], 9)
    assert found == pytest.approx(-np.log10(ttest_1samp(sums, 0.0).pvalue))


@pytest.mark.parametrize(("n", "right"), [(40, 16), (100, 36), (100, 13)])
def test_the_observed_statistic_has_the_tail_of_the_binomial(n: int, right: int) -> None:
    from scipy.stats import binom, norm

    excess = (np.arange(n) < right).astype(float)[:, None] - 0.25
    moments = np.full((n, 1), 0.25 * 0.75), np.full((n, 1), 0.25 * 0.75**3 - 0.75 * 0.25**3)
    tail = binom.sf(right, n, 0.25) if right > n / 4 else binom.cdf(right - 1, n, 0.25)
    expected = tail + binom.pmf(right, n, 0.25) / 2
    assert norm.sf(np.sqrt(_observed_ratio(excess, moments, excess)[0])) == pytest.approx(expected, rel=0.08)


def sure(groups: int, inflation: float = 1.0, p: float = 1.0, permutations: int = 199) -> float:
    """Return the adjusted p of a reader that is right with probability p, on ten items of each group."""
    n = 10 * groups
    hits = (np.random.default_rng(3).random((n, 1)) < p).astype(float)
    part = hits - 0.25, (np.full((n, 1), 0.1875), np.full((n, 1), 0.09375)), np.arange(n) % groups
    (found,) = adjusted_p([part], permutations=permutations, seed=0, min_groups=5, inflation=inflation)
    return float(found[0])


def test_a_p_is_never_zero_needs_its_groups_and_grows_with_the_inflation() -> None:
    assert sure(50) == pytest.approx(1 / 200)
    assert sure(4) == 1.0 > sure(5)
    assert sure(50, p=0.32, inflation=fold_inflation(5)) > 2 * sure(50, p=0.32)


def test_readers_that_miss_too_often_fail_as_well() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(4, size=400)
    panel = panel_with(keys, np.arange(400))
    scores = rng.random(1600)
    scores[panel.key_row[:250]] = -1.0
    row = cell_gate(scores[:, None], ("avoids the key",), ("fitted",), panel, CONFIG)[0]
    assert row.accuracy < 0.2
    assert row.verdict == "fail"


@pytest.mark.parametrize(
    ("n", "p", "verdict"), [(3000, 0.25, "pass"), (3000, 0.40, "fail"), (120, 0.25, "too few"), (40, 0.9, "too few")]
)
def test_a_cell_passes_only_when_it_is_shown_to_be_near_chance(n: int, p: float, verdict: str) -> None:
    rng = np.random.default_rng(5)
    panel = panel_with(rng.integers(4, size=n), np.arange(n))
    scores = rng.random((4 * n, 1))
    share = (p - 0.25) / 0.75
    scores[panel.key_row[rng.random(n) < share]] = 2.0
    assert cell_gate(scores, ("reader",), ("fitted",), panel, CONFIG)[0].verdict == verdict


def test_a_tiny_but_certain_difference_within_the_margin_passes() -> None:
    n = 40_000
    rng = np.random.default_rng(5)
    panel = panel_with(rng.integers(4, size=n), np.arange(n))
    scores = rng.random((4 * n, 1))
    scores[panel.key_row[rng.random(n) < 0.03]] = 2.0
    row = cell_gate(scores, ("reader",), ("fitted",), panel, CONFIG)[0]
    assert row.p_adjusted < 0.05
    assert row.verdict == "pass"


def test_too_few_patients_decide_nothing_however_many_items() -> None:
    panel = panel_with(np.zeros(300, dtype=int), np.arange(300) % 3)
    scores = np.tile([1.0, 0, 0, 0], 300)[:, None]
    assert cell_gate(scores, ("option 1",), ("fitted",), panel, CONFIG)[0].verdict == "too few"


def test_ragged_options_have_their_own_chance() -> None:
    items = [Item(f"{k}-{i}", "?", tuple("abcdef"[:k]), i % k) for k in (2, 6) for i in range(60)]
    panel = panel_of(items)
    row = cell_gate(np.zeros((len(panel.of), 1)), ("guess",), ("fitted",), panel, CONFIG)[0]
    assert row.chance == pytest.approx((1 / 2 + 1 / 6) / 2)
    assert row.accuracy == pytest.approx(row.chance)


def flag_rate(seed: int, n: int, readers: int) -> float:
    rng = np.random.default_rng(seed)
    panel = panel_with(rng.integers(4, size=n), np.arange(n))
    gate = item_gate(rng.normal(size=(4 * n, readers)), np.array(["fitted"] * readers), panel, CONFIG)
    return float(gate.flagged.any(axis=1).mean())


def test_clean_items_are_flagged_at_most_at_the_stated_rate() -> None:
    rates = [flag_rate(seed, 200, 5) for seed in range(60)]
    assert np.mean(rates) <= CONFIG.alpha


def test_items_whose_key_is_known_are_flagged_and_the_others_are_not() -> None:
    rng = np.random.default_rng(1)
    n = 600
    panel = panel_with(rng.integers(4, size=n), np.arange(n))
    scores = rng.normal(size=(4 * n, 1)) * 0.3
    scores[panel.key_row[:200]] += 4.0
    gate = item_gate(scores, np.array(["fitted"]), panel, CONFIG)
    assert gate.flagged[:200].mean() > 0.95
    assert gate.flagged[200:].mean() < 0.15
    assert gate.pvi_bits[:200].mean() > 1.0


def test_the_certifier_never_flags() -> None:
    rng = np.random.default_rng(1)
    panel = panel_with(rng.integers(4, size=200), np.arange(200))
    scores = np.zeros((800, 1))
    scores[panel.key_row] = 1.0
    assert not item_gate(scores, np.array(["certifier"]), panel, CONFIG).flagged.any()
    assert item_gate(scores, np.array(["fitted"]), panel, CONFIG).flagged.all()
