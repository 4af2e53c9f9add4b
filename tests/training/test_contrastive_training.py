from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from flows.train_model import train
from schemas.errors import FileFormatError, InputError, StageFailedError
from tasks.store import ShardStore
from training.config import TrainingConfig
from training.contrastive import TrainingResult, train_contrastive
from training.model import load_model, read_checkpoint

QUICK = TrainingConfig(
    front_end="none",
    width=8,
    epochs=2,
    batch=24,
    image_px=48,
    embedding=32,
    text_width=32,
    text_layers=1,
    threads=1,
    checkpoint_steps=3,
)


class StoppedError(Exception):
    """Stands for a kill: leaves the training wherever it is."""


def stop_after(step: int) -> Callable[[int, int, dict[str, float]], None]:
    def progress(now: int, steps: int, losses: dict[str, float]) -> None:
        if now == step:
            raise StoppedError

    return progress


def same_state(first: Path, second: Path) -> bool:
    one, two = (read_checkpoint(path) for path in (first, second))
    return all(torch.equal(one["model"][name], two["model"][name]) for name in two["model"])


@pytest.fixture(scope="module")
def whole(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train_contrastive(miniature, tmp_path_factory.mktemp("whole"), QUICK)


def test_a_run_ends_with_every_step_in_its_history(whole: TrainingResult) -> None:
    rows = [json.loads(line) for line in whole.history.read_text().splitlines()]
    assert whole.finished
    assert [row["step"] for row in rows] == list(range(1, whole.steps + 1))
    assert whole.steps == 2 * (168 // 24)
    assert whole.images == whole.steps * 24 * 3
    assert set(rows[0]) == {"step", "loss", "contrastive", "negative", "positive", "question", "finding", "scale"}
    assert rows[-1]["loss"] < rows[0]["loss"]


@pytest.mark.parametrize("step", [1, 5, 13])
def test_a_killed_and_resumed_run_gives_the_same_bits(
    whole: TrainingResult, miniature: Path, tmp_path: Path, step: int
) -> None:
    with pytest.raises(StoppedError):
        train_contrastive(miniature, tmp_path, QUICK, stop_after(step))
    resumed = train_contrastive(miniature, tmp_path, QUICK)
    assert resumed.resumed_at == step // 3 * 3 if step >= 3 else resumed.resumed_at == 0
    assert resumed.history.read_bytes() == whole.history.read_bytes()
    assert resumed.checkpoint.read_bytes() == whole.checkpoint.read_bytes()


def test_a_run_streamed_from_parquet_resumes_to_the_same_bits(
    make_miniature: Callable[..., Path], tmp_path: Path
) -> None:
    release = make_miniature(row_group=50)
    config = QUICK.model_copy(update={"cache_mb": 0})
    whole = train_contrastive(release, tmp_path / "whole", config)
    with pytest.raises(StoppedError):
        train_contrastive(release, tmp_path / "cut", config, stop_after(8))
    resumed = train_contrastive(release, tmp_path / "cut", config)
    assert (resumed.resumed_at, resumed.finished) == (6, True)
    assert same_state(resumed.checkpoint, whole.checkpoint)


def test_a_time_budget_stops_with_a_checkpoint_that_goes_on(
    whole: TrainingResult, miniature: Path, tmp_path: Path
) -> None:
    first = train_contrastive(miniature, tmp_path, QUICK.model_copy(update={"time_budget_s": 0.001}))
    assert (first.steps, first.finished) == (1, False)
    last = train_contrastive(miniature, tmp_path, QUICK)
    assert (last.resumed_at, last.finished) == (1, True)
    assert same_state(last.checkpoint, whole.checkpoint)


def test_a_run_whose_training_is_cut_short_keeps_no_model_and_says_how_to_go_on(
    miniature: Path, tmp_path: Path
) -> None:
    cut = QUICK.model_copy(update={"time_budget_s": 0.001})
    with pytest.raises(StageFailedError, match=r"`training\.time_budget_s` is used up; run again"):
        train.fn(ShardStore(tmp_path), "k", str(miniature), cut, small=True)
    assert ShardStore(tmp_path).find("model", "k") is None
    assert list((tmp_path / "training" / "k").glob("checkpoint.pt"))


def test_a_finished_run_is_not_done_again(whole: TrainingResult, miniature: Path) -> None:
    before = whole.checkpoint.read_bytes()
    again = train_contrastive(miniature, whole.checkpoint.parent, QUICK)
    assert (again.resumed_at, again.steps) == (whole.steps, whole.steps)
    assert whole.checkpoint.read_bytes() == before


def test_another_configuration_does_not_overwrite_a_run(whole: TrainingResult, miniature: Path) -> None:
    with pytest.raises(InputError, match="another configuration"):
        train_contrastive(miniature, whole.checkpoint.parent, QUICK.model_copy(update={"seed": 1}))


def test_another_seed_gives_another_model(whole: TrainingResult, miniature: Path, tmp_path: Path) -> None:
    other = train_contrastive(miniature, tmp_path, QUICK.model_copy(update={"seed": 1}))
    assert not same_state(other.checkpoint, whole.checkpoint)


def test_gradients_of_micro_batches_are_accumulated_into_one_step(miniature: Path, tmp_path: Path) -> None:
    result = train_contrastive(miniature, tmp_path, QUICK.model_copy(update={"accumulate": 3, "steps": 4}))
    assert (result.steps, result.images) == (4, 4 * 24 * 3)


def test_micro_batches_of_single_fields_are_refused(miniature: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="raise batch or lower accumulate"):
        TrainingConfig(batch=5, accumulate=3)
    with pytest.raises(InputError, match="168 fields with tiles in the train split are too few"):
        train_contrastive(miniature, tmp_path, QUICK.model_copy(update={"batch": 400, "accumulate": 100}))


def test_training_in_bf16_gives_finite_losses(miniature: Path, tmp_path: Path) -> None:
    result = train_contrastive(miniature, tmp_path, QUICK.model_copy(update={"precision": "bf16", "steps": 2}))
    assert all(0 <= value < 50 for value in result.losses.values())


def test_a_missing_release_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no release"):
        train_contrastive(tmp_path / "nowhere", tmp_path / "out", QUICK)


def test_a_torn_checkpoint_is_one_clear_error(whole: TrainingResult, tmp_path: Path) -> None:
    torn = tmp_path / "checkpoint.pt"
    torn.write_bytes(whole.checkpoint.read_bytes()[:5000])
    with pytest.raises(FileFormatError, match="torn"):
        load_model(torn)


def test_a_checkpoint_gives_back_the_model_that_was_trained(whole: TrainingResult) -> None:
    model, config, mean_image = load_model(whole.checkpoint)
    assert config == QUICK
    assert mean_image is not None
    assert mean_image.norm().item() == pytest.approx(1, abs=1e-5)
    vectors = model.encode_texts([model.tokenize("solid architecture"), model.tokenize("")])
    assert vectors.shape == (2, 32)
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
