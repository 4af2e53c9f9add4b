"""Fitted readers: each family is trained on some patients' questions and reads the others' (out of fold)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.screening.conditional import fit_conditional_logit
from tasks.screening.config import Family, ScreeningConfig
from tasks.screening.features import Features
from tasks.screening.items import Floats, Panel
from tasks.settings import worker_count

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CueModel:
    """A fitted reader of cues that can be asked again: the name of its features, and scores of rows of them."""

    shown: Literal["linear", "trees"]
    score: Callable[[NDArray[np.floating]], Floats]


@dataclass(frozen=True)
class Reading:
    """Scores (m,) of every option, and the model behind them where it reads cues."""

    scores: Floats
    model: CueModel | None = None


@dataclass(frozen=True)
class OutOfFold:
    """Per family the scores (m,), each item read by the model that never saw its fold, and cue models by held fold."""

    scores: dict[Family, Floats]
    models: dict[str, dict[int, CueModel]]


Reader = Callable[[Features, Mask, ScreeningConfig], Reading]
PRIOR_ITEMS = 2.0  # items' worth of belief that an option is as often the key as any other
FOREST_ROWS = 2048  # rows per tree: keeps the forest linear, and its trees different


def _read_prior(features: Features, train: Mask, config: ScreeningConfig) -> Reading:
    """Score an option by how often its text was the key when it stood among the options, in the file and the cell."""
    panel = features.panel
    cell = panel.cell[panel.of]
    _, in_cell = np.unique(cell * (int(features.numbers.max()) + 1) + features.numbers, return_inverse=True)
    scores = np.zeros(len(panel.of))
    rows = train[panel.of]
    for numbers in (features.numbers, in_cell):
        width = int(numbers.max()) + 1
        keys = np.bincount(numbers[panel.key_row[train]], minlength=width)
        expected = np.bincount(numbers[rows], weights=panel.chance[panel.of[rows]], minlength=width)
        scores += np.log((keys + PRIOR_ITEMS) / (expected + PRIOR_ITEMS))[numbers]
    return Reading(scores)


def _read_logistic(features: Features, train: Mask, config: ScreeningConfig) -> Reading:
    weights = fit_conditional_logit(features.linear, features.panel, train, l2=3.0)

    def score(rows: NDArray[np.floating]) -> Floats:
        return np.asarray(rows @ weights)

    return Reading(score(features.linear), CueModel("linear", score))


def _read_tfidf(features: Features, train: Mask, config: ScreeningConfig) -> Reading:
    table = features.words.values
    if not table.shape[1]:
        return Reading(np.zeros(len(features.panel.of)))
    return Reading(np.asarray(table @ fit_conditional_logit(table, features.panel, train, l2=0.5)))


def _objective(panel: Panel, train: Mask) -> Callable[[Floats, object], tuple[Floats, Floats]]:
    """Return gradient and curvature of the conditional likelihood: one key among each question's options."""
    sizes = panel.sizes[train]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of = np.repeat(np.arange(len(sizes)), sizes)
    key = np.zeros(int(sizes.sum()))
    key[starts + (panel.key_row - panel.starts)[train]] = 1.0

    def gradient(scores: Floats, _: object) -> tuple[Floats, Floats]:
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[of])
        p = odds / np.add.reduceat(odds, starts)[of]
        return p - key, np.maximum(p * (1.0 - p), 1e-3)

    return gradient


def _read_boosting(features: Features, train: Mask, config: ScreeningConfig) -> Reading:
    import lightgbm

    panel = features.panel
    size = int(train.sum())
    scores = np.zeros(len(panel.of))
    learning = features.trees[train[panel.of]]
    telling = np.ptp(learning, axis=0) > 0
    if not telling.any():  # every option looks alike: nothing to split on, and LightGBM refuses such data
        return Reading(scores)
    parameters = {
        "objective": _objective(panel, train),
        "learning_rate": 0.1,
        "num_leaves": 8,
        "min_data_in_leaf": max(5, min(40, size // 10)),
        "lambda_l2": 5.0,
        "max_bin": 63,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "feature_fraction": 0.7,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": config.seed,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(learning[:, telling], params=parameters, free_raw_data=True)
    booster = lightgbm.train(parameters, data, num_boost_round=config.trees)

    def score(rows: NDArray[np.floating]) -> Floats:
        return np.asarray(booster.predict(rows[:, telling], num_threads=1))

    held_out = ~train[panel.of]
    scores[held_out] = score(features.trees[held_out])
    return Reading(scores, CueModel("trees", score))


def _read_forest(features: Features, train: Mask, config: ScreeningConfig) -> Reading:
    from sklearn.ensemble import RandomForestClassifier

    panel = features.panel
    rows = train[panel.of]
    is_key = np.zeros(len(panel.of), dtype=np.int64)
    is_key[panel.key_row] = 1
    forest = RandomForestClassifier(
        n_estimators=config.forest_trees,
        max_depth=8,
        min_samples_leaf=4,
        max_samples=min(FOREST_ROWS, int(rows.sum())),
        n_jobs=1,
        random_state=config.seed,
    )
    forest.fit(features.forest[rows], is_key[rows])
    scores = np.zeros(len(panel.of))
    scores[~rows] = np.log(forest.predict_proba(features.forest[~rows])[:, 1] + 0.01)
    return Reading(scores)


READERS: dict[Family, Reader] = {
    "prior": _read_prior,
    "logistic": _read_logistic,
    "boosting": _read_boosting,
    "tfidf": _read_tfidf,
    "forest": _read_forest,
}


def read_out_of_fold(
    features: Features, fold: NDArray[np.int64], families: Sequence[Family], config: ScreeningConfig
) -> OutOfFold:
    """Return each family's scores of every option, each item read by the model that never saw its fold.

    Families and folds run side by side in threads; each is single-threaded and seeded, so the scores do not depend on
    the number of cores.
    """
    threadpool_limits = import_module("threadpoolctl").threadpool_limits

    panel = features.panel
    jobs = [(family, held) for held in np.unique(fold).tolist() for family in families]
    for needed, shared in (("logistic", "linear"), ("boosting", "trees"), ("forest", "forest"), ("tfidf", "words")):
        if needed in families:
            getattr(features, shared)  # made here once, not in the threads

    def read(job: tuple[Family, int]) -> tuple[Family, int, Reading]:
        family, held = job
        return family, held, READERS[family](features, fold != held, config)

    found = OutOfFold({family: np.zeros(len(panel.of)) for family in families}, {})
    with threadpool_limits(1), ThreadPoolExecutor(worker_count()) as pool:
        for family, held, reading in pool.map(read, jobs):
            rows = (fold == held)[panel.of]
            found.scores[family][rows] = reading.scores[rows]
            if reading.model is not None:
                found.models.setdefault(family, {})[held] = reading.model
    return found
