from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import BlindControlError, InputError
from training.config import TrainingConfig
from training.contrastive import train_contrastive
from training.evaluate import evaluate, measure

CONFIG = TrainingConfig(front_end="none", width=12, epochs=7, batch=24, image_px=64, embedding=64, threads=1)


@pytest.fixture(scope="module")
def trained(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_contrastive(miniature, tmp_path_factory.mktemp("trained"), CONFIG).checkpoint


def test_a_model_that_sees_beats_its_blind_control_by_far(miniature: Path, trained: Path) -> None:
    report = evaluate(miniature, trained)
    assert report["pairwise"]["accuracy"] > 0.9
    assert report["multiple_choice"]["accuracy"] > 0.8
    low, high = report["blind"]["multiple_choice"]["interval"]
    assert low <= report["multiple_choice"]["chance"] <= high
    low, high = report["blind"]["pairwise"]["interval"]
    assert low <= 0.5 <= high
    assert report["blind"]["shuffled"]["multiple_choice"]["accuracy"] < 0.4
    assert set(report["pairwise"]["by_operator_role"]) == {"replace/entity", "intensify/descriptor"}
    assert set(report["multiple_choice"]["by_dimension"]) == {"explanation"}
    assert report["retrieval"]["image_to_text"]["recall_at_1"] > 0.5
    json.dumps(report, allow_nan=False)


def test_of_mirrored_pairs_a_model_without_the_image_gets_half_by_counting(miniature: Path, trained: Path) -> None:
    report = measure(miniature, trained)
    mirrored = report["pairwise"]["mirrored"]
    assert mirrored["n"] == 2 * 48 < report["pairwise"]["n"]
    assert set(mirrored["by_operator_role"]) == {"intensify/descriptor"}
    assert mirrored["accuracy"] > 0.8
    assert report["blind"]["pairwise"]["mirrored"]["accuracy"] == 0.5


def test_retrieval_stands_beside_its_controls_and_the_chance_of_a_random_order(miniature: Path, trained: Path) -> None:
    report = measure(miniature, trained)["retrieval"]
    for way, count in (("image_to_text", 48), ("text_to_image", 12)):
        at = report[way]["at"]["1"]
        assert at["image"]["n"] == count
        low, high = at["image"]["interval"]
        assert low < at["image"]["accuracy"] == report[way]["recall_at_1"] <= high
        assert at["gain"]["beats"]
        assert at["chance"] == pytest.approx(1 / 12, abs=1e-4)  # each text is true of 4 of 48 fields, each field has 1
        assert at["blind"]["accuracy"] == pytest.approx(at["chance"], abs=1e-4)
        assert at["shuffled"]["accuracy"] < 0.3


def test_an_evaluation_repeats_to_the_last_digit(miniature: Path, trained: Path) -> None:
    assert evaluate(miniature, trained) == evaluate(miniature, trained)


def test_a_model_trained_on_images_that_show_nothing_fails_loudly(
    make_miniature: Callable[..., Path], tmp_path: Path
) -> None:
    release = make_miniature(blank_images=True)
    result = train_contrastive(release, tmp_path, CONFIG.model_copy(update={"epochs": 3}))
    with pytest.raises(BlindControlError, match="does not beat its blind control"):
        evaluate(release, result.checkpoint)
    assert measure(release, result.checkpoint)["multiple_choice"]["accuracy"] < 0.5


def test_an_unfinished_model_is_not_evaluated(miniature: Path, tmp_path: Path) -> None:
    result = train_contrastive(miniature, tmp_path, CONFIG.model_copy(update={"time_budget_s": 0.001}))
    with pytest.raises(InputError, match="unfinished"):
        evaluate(miniature, result.checkpoint)


def test_a_missing_checkpoint_is_one_clear_error(miniature: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        evaluate(miniature, tmp_path)
