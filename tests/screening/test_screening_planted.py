from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import InputError
from tasks.screening.config import ScreeningConfig
from tasks.screening.items import Item
from tasks.screening.planted import LEAKS, Leak, planted_items
from tasks.screening.screen import screen

CONFIG = ScreeningConfig(trees=20, forest_trees=8, permutations=199, null_draws=24)
# What a leak may be called: a rare word is also a word, a negation is a word, and so on; the first is the planted one.
NAMES = {"word": "wording", "negation": "polarity"}


@pytest.mark.parametrize("leak", [leak for leak in LEAKS if leak != "none"])
def test_a_planted_leak_is_found_and_named(leak: Leak) -> None:
    found = screen(planted_items(leak, 0.6, 240, seed=5), CONFIG)
    assert found.whole.verdict == "fail"
    assert NAMES.get(leak, leak) in [cue.name for cue in found.whole.cues[:2]]
    assert found.whole.worst.accuracy > 0.4
    leans = {"length": "length", "negation": "polarity", "centrality": "centrality", "word": "rarity", "position": ""}
    first = found.whole.importance[0] if found.whole.importance else None
    if leak in leans:
        assert (first.cue if first else "") == leans[leak]
    if first:
        assert (first.accuracy > 0.5 and first.without < 0.33) or leak == "prior"


@pytest.mark.parametrize("leak", ["length", "word", "centrality", "prior"])
def test_the_certifier_finds_by_itself_what_the_others_find(leak: Leak) -> None:
    alone = CONFIG.model_copy(update={"families": ("prior",)})
    certifier = screen(planted_items(leak, 0.6, 400, seed=6), alone).certifier
    assert certifier is not None
    assert certifier.verdict == "fail"


def test_flags_find_the_given_away_keys_of_the_leaking_cell_alone() -> None:
    items = planted_items("length", 0.6, 240, seed=1, cell="leaks") + planted_items(
        "none", 0, 240, seed=2, cell="clean"
    )
    found = screen(items, CONFIG)
    verdicts = {cell.name: cell.verdict for cell in found.cells if cell.level == "cell"}
    assert verdicts["leaks"] == "fail"
    assert verdicts["clean"] != "fail"
    flagged = np.array([item.item_id in found.item_flags for item in items])
    longest = np.array([max(item.options, key=len) == item.options[item.key] for item in items])
    assert flagged[:240][longest[:240]].mean() > 0.9
    assert flagged[240:].mean() <= CONFIG.alpha
    assert {flag.cue for flags in found.item_flags.values() for flag in flags} >= {"length"}


def test_clean_items_are_seldom_failed() -> None:
    verdicts = [screen(planted_items("none", 0.0, 120, seed=seed), CONFIG).whole.verdict for seed in range(5)]
    assert verdicts == ["too few"] * 5


def counterbalanced(n_sets: int, blocks: int) -> list[Item]:
    rng = np.random.default_rng(3)
    words = ["glandular", "solid", "papillary", "fused", "sparse", "dense", "marked", "mild", "stromal", "without"]
    items = []
    for number in range(n_sets):
        options = [" ".join(rng.choice(words, 3, replace=False)) + f" {place}" for place in range(4)]
        for block in range(blocks):
            order = rng.permutation(4)
            for key in range(4):
                shown = tuple(options[place] for place in order)
                patient = f"patient-{rng.integers(12)}"
                name = f"{number}-{block}-{key}"
                items.append(Item(name, f"Set {number}?", shown, key, patient, option_set=f"set-{number}"))
    return items


def test_counterbalanced_sets_are_answered_at_exactly_chance_by_everyone_but_the_forest() -> None:
    found = screen(counterbalanced(8, 12), CONFIG)
    for row in found.rows:
        if row.family != "certifier":
            assert row.accuracy == pytest.approx(0.25, abs=1e-12), row.reader
    assert found.whole.verdict != "fail"
    assert len(found.item_flags) <= CONFIG.alpha * 384


def test_a_set_that_lost_its_balance_is_found() -> None:
    items = [item for item in counterbalanced(8, 24) if item.key != 3 or item.item_id.endswith("-0-3")]
    skewed = [item for item in items if item.options[item.key][-1] == "0" or int(item.item_id.split("-")[1]) % 6 == 0]
    assert screen(skewed, CONFIG).whole.verdict == "fail"


def test_the_same_items_give_the_same_screening_and_another_seed_another() -> None:
    items = planted_items("word", 0.3, 60, seed=1)

    def scores(seed: int) -> pa.Table:
        return screen(items, CONFIG.model_copy(update={"seed": seed})).verdict_table()

    first = scores(0)
    assert first.equals(scores(0))
    assert not first.equals(scores(1))


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_a_handful_of_items_is_too_few_to_decide(n: int) -> None:
    found = screen(planted_items("length", 1.0, n, seed=1), CONFIG)
    assert found.whole.verdict == "too few"
    assert len(found.verdicts) == n * len(found.board.names)


def test_items_of_one_patient_are_read_but_never_decided() -> None:
    found = screen(planted_items("length", 1.0, 100, seed=1, per_group=100), CONFIG)
    assert found.whole.verdict == "too few"


def test_two_and_twenty_six_options_are_read_together() -> None:
    items = planted_items("length", 0.8, 60, seed=1, k=2) + planted_items("length", 0.8, 60, seed=2, k=26)
    found = screen([Item(f"{i}", one.question, one.options, one.key) for i, one in enumerate(items)], CONFIG)
    assert found.whole.chance == pytest.approx((1 / 2 + 1 / 26) / 2)
    assert found.whole.verdict == "fail"


def test_nothing_to_screen_is_said() -> None:
    with pytest.raises(InputError, match="no question to screen"):
        screen([], CONFIG)


def test_a_certifier_that_also_selects_is_refused() -> None:
    with pytest.raises(ValueError, match="also selects"):
        ScreeningConfig(certifier="tfidf")
