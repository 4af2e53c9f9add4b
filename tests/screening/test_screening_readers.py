from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.screening.conditional import calibrate, fit_conditional_logit
from tasks.screening.config import Family, ScreeningConfig
from tasks.screening.features import Features
from tasks.screening.fitted import READERS, read_out_of_fold
from tasks.screening.folds import assign_folds
from tasks.screening.items import Item, Panel, panel_of
from tasks.screening.lexical import CUE_NAMES, cue_matrix, lexical_scores, position_scores
from tasks.screening.planted import planted_items
from tasks.screening.words import lexicon_of, tokens

WORDS = st.sampled_from(["no", "Glands", "marked", "fused", "may", "stroma", "3", "腺体", "naïve", "x-ray", "always"])
OPTION = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
OPTIONS = st.lists(OPTION, min_size=2, max_size=6, unique=True).map(tuple)


def item(options: tuple[str, ...], key: int = 0, question: str = "Which glands?", name: str = "q") -> Item:
    return Item(name, question, options, key)


def scores_of(items: list[Item]) -> tuple[Panel, dict[str, np.ndarray]]:
    panel = panel_of(items)
    found = lexical_scores(panel, cue_matrix(panel, lexicon_of(panel)))
    return panel, dict(zip(found.names, found.values.T, strict=True))


@settings(max_examples=30)
@given(options=OPTIONS, data=st.data())
def test_permuting_options_permutes_every_cue(options: tuple[str, ...], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(options))))
    panel, there = scores_of([item(options)])
    _, here = scores_of([item(tuple(options[place] for place in order))])
    for name, values in there.items():
        assert np.array_equal(values[np.array(order)], here[name]), name
    assert len(panel.of) == len(options)


@settings(max_examples=30)
@given(options=st.lists(OPTIONS, min_size=1, max_size=4))
def test_each_cue_is_read_in_both_directions(options: list[tuple[str, ...]]) -> None:
    _, found = scores_of([item(texts, name=str(place)) for place, texts in enumerate(options)])
    for cue in CUE_NAMES:
        assert np.array_equal(found[f"most {cue}"], -found[f"least {cue}"])


@settings(max_examples=30)
@given(options=OPTIONS, other=OPTIONS)
def test_a_cue_of_one_question_does_not_depend_on_the_others_options(
    options: tuple[str, ...], other: tuple[str, ...]
) -> None:
    _, alone = scores_of([item(options)])
    _, beside = scores_of([item(options), item(other, name="other")])
    for name in ("most centrality", "most words", "least negation", "most question_overlap", "most unique_words"):
        assert np.allclose(alone[name], beside[name][: len(options)])


@pytest.mark.parametrize(
    ("reader", "options"),
    [
        ("most centrality", ("red round cells", "red round glands", "blue round cells", "red flat cells")),
        ("least centrality", ("no such thing", "red round cells", "red round glands", "red flat cells")),
        ("most characters", ("a very much longer option", "short one", "brief", "small")),
        ("most words", ("a b c d", "aaaaaaaaaaaa bbbbbbbbb", "cc", "d")),
        ("most negation", ("without necrosis", "with necrosis", "with glands")),
        ("least negation", ("with necrosis", "no glands", "without stroma")),
        ("most hedging", ("possibly lymphoid", "lymphoid", "solid")),
        ("most absolutes", ("always solid", "solid", "fused")),
        ("most amounts", ("marked atypia", "atypia", "fused")),
        ("most question_overlap", ("the glands are fused", "the nests", "cords")),
        ("most digits", ("12 mm", "a few mm", "some")),
        ("most unique_words", ("odd one out here", "red round cells", "red round glands")),
    ],
)
def test_each_untrained_reader_chooses_the_option_with_its_cue(reader: str, options: tuple[str, ...]) -> None:
    panel, found = scores_of([item(options)])
    assert panel.credit(found[reader])[0] == 1.0


def test_options_without_a_difference_share_the_credit() -> None:
    panel, found = scores_of([item(("one cell", "two cell", "six cell"))])
    assert panel.credit(found["most negation"])[0] == pytest.approx(1 / 3)


def test_position_readers_choose_places_and_the_last_of_ragged_options() -> None:
    panel = panel_of([item(("a", "b", "c"), key=2), item(("a", "b"), key=1, name="r")])
    found = position_scores(panel)
    credit = dict(zip(found.names, panel.credit(found.values).T, strict=True))
    assert list(credit) == ["option 1", "option 2", "option 3", "last option"]
    assert credit["option 2"].tolist() == [0.0, 1.0]
    assert credit["last option"].tolist() == [1.0, 1.0]
    assert credit["option 3"].tolist() == [1.0, 0.5]  # no third option: a guess


def test_scripts_without_spaces_are_read_character_by_character() -> None:
    assert tokens("腺体 Tumor-cells, don't") == ["腺", "体", "tumor-cells", "don't"]


def test_the_conditional_logit_recovers_its_weights() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12_000, 2))
    chosen = (features @ [1.5, -0.5] + rng.gumbel(size=12_000)).reshape(-1, 4).argmax(axis=1)
    panel = panel_of([item(("a", "b", "c", "d"), int(key), name=str(i)) for i, key in enumerate(chosen)])
    weights = fit_conditional_logit(features, panel, np.ones(3000, dtype=bool), l2=0.1)
    assert weights == pytest.approx([1.5, -0.5], abs=0.12)


def test_calibration_finds_the_slope_and_gives_none_to_noise() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(8_000, 2))
    chosen = (2.0 * scores[:, 0] + rng.gumbel(size=8_000)).reshape(-1, 4).argmax(axis=1)
    panel = panel_of([item(("a", "b", "c", "d"), int(key), name=str(i)) for i, key in enumerate(chosen)])
    slopes = calibrate(scores, panel, panel.key_row, np.zeros(2000, dtype=np.int64), 1)
    assert slopes[0] == pytest.approx([2.0, 0.0], abs=0.15)


def shuffled(items: list[Item], seed: int) -> tuple[list[Item], np.ndarray]:
    rng = np.random.default_rng(seed)
    turned, rows, first = [], [], 0
    for one in items:
        order = rng.permutation(len(one.options))
        key = int(np.flatnonzero(order == one.key)[0])
        turned.append(Item(one.item_id, one.question, tuple(one.options[o] for o in order), key, one.group))
        rows.append(first + order)
        first += len(order)
    return turned, np.concatenate(rows)


@pytest.mark.parametrize("family", [family for family in READERS if family != "forest"])  # its trees draw rows by place
def test_no_fitted_reader_sees_the_order_of_options(family: Family) -> None:
    config = ScreeningConfig(trees=10, forest_trees=4)
    items = planted_items("word", 0.5, 120, seed=3)
    turned, rows = shuffled(items, 1)
    found = []
    for version in (items, turned):
        features = Features(panel_of(version), config.vocabulary)
        fold = np.arange(len(version)) % 3
        found.append(read_out_of_fold(features, fold, [family], config).scores[family])
    assert np.allclose(found[0][rows], found[1], atol=1e-4)


@pytest.mark.parametrize("family", READERS)
def test_out_of_fold_means_that_a_held_out_key_changes_nothing(family: Family) -> None:
    config = ScreeningConfig(trees=10, forest_trees=4)
    items = planted_items("prior", 0.6, 100, seed=2)
    one = items[7]
    other = Item(one.item_id, one.question, one.options, (one.key + 1) % 4, one.group)
    changed = [*items[:7], other, *items[8:]]
    fold = np.arange(100) % 5
    rows = slice(28, 32)
    there, here = (
        read_out_of_fold(Features(panel_of(version), config.vocabulary), fold, [family], config).scores[family]
        for version in (items, changed)
    )
    assert np.array_equal(there[rows], here[rows])


def test_folds_keep_patients_whole_and_even() -> None:
    panel = panel_of(planted_items("none", 0.0, 300, seed=1, per_group=7))
    fold = assign_folds(panel, Features(panel, 100).numbers, folds=5, seed=0)
    for group in range(panel.groups):
        assert len(set(fold[panel.group == group])) == 1
    assert np.bincount(fold).max() - np.bincount(fold).min() <= 7


def test_folds_of_a_counterbalanced_set_are_balanced_in_and_out() -> None:
    options = ("glandular", "solid", "papillary")
    items = [
        Item(f"{key}-{n}", "Which?", options, key, f"patient-{n % 4}", option_set="set")
        for key in range(3)
        for n in range(9)
    ]
    panel = panel_of(items)
    fold = assign_folds(panel, Features(panel, 100).numbers, folds=5, seed=0)
    keys = np.array([one.key for one in items])
    for held in range(5):
        assert len(set(np.bincount(keys[fold == held], minlength=3))) == 1


def test_unbalanced_equal_texts_keep_their_patients_whole() -> None:
    items = [Item(str(n), "Yes?", ("yes", "no"), int(n % 5 == 0), f"patient-{n // 3}") for n in range(60)]
    panel = panel_of(items)
    fold = assign_folds(panel, Features(panel, 100).numbers, folds=5, seed=0)
    assert all(len(set(fold[panel.group == group])) == 1 for group in range(panel.groups))
