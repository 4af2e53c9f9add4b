from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from benchmarks._tiny_language_model import write_tiny_qwen2
from flows.commands.train import command
from schemas.errors import InputError
from tests.training.conftest import STEPS
from training.instruct import IGNORED, question_prompts, trajectory_rows
from training.release import Release
from training.tuning_config import SftConfig

pytestmark = pytest.mark.filterwarnings("ignore")  # those of transformers and TRL are theirs


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 of two layers with random weights and a byte tokenizer."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    texts = ["<observe> <think> <answer>"] * 3
    return write_tiny_qwen2(tmp_path_factory.mktemp("tiny") / "model", texts)


class Letters:
    """A tokenizer of one token per letter."""

    eos_token_id: int | None = 0

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [ord(letter) for letter in text]


def test_given_steps_are_masked_and_the_rest_with_its_answer_is_learnt(reasoned: Path) -> None:
    rows = list(trajectory_rows(Release(reasoned), "train", Letters()))
    assert [given for _, given, _ in rows[:3]] == [0, 1, 2]
    assert len(rows) == 8 * len(STEPS)
    for _, given, row in rows:
        assert row is not None
        learnt = "".join(chr(label) for label in row.labels if label not in {IGNORED, 0})
        assert learnt.endswith("<answer>adenocarcinoma</answer>")
        assert [step in learnt for step in STEPS] == [place >= given for place in range(len(STEPS))]
        assert row.labels[-1] == 0
        assert all(label in {IGNORED, token} for label, token in zip(row.labels, row.input_ids, strict=True))


def test_a_row_that_is_too_long_is_left_out_whole(reasoned: Path) -> None:
    assert all(row is None for _, _, row in trajectory_rows(Release(reasoned), "train", Letters(), limit=20))


def test_a_question_prompt_shows_every_option_with_its_letter(miniature: Path) -> None:
    row = next(question_prompts(Release(miniature), "train"))
    for letter, option in zip("ABCD", row["options"], strict=True):
        assert f"{letter}. {option}" in row["prompt"]


def tuning(model: Path, **more: Any) -> dict[str, Any]:
    return {"model": str(model), "images": False, "cpu": True, "precision": "fp32", "batch": 4, "lr": 1e-2, **more}


def test_fine_tuning_a_tiny_model_lowers_its_loss(reasoned: Path, tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    from training.sft import train_sft

    result = train_sft(reasoned, tmp_path, SftConfig(**tuning(tiny_model, steps=12, tokens=600)))
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert result.rows == 24
    assert losses[-1] < 0.8 * losses[0]
    assert (result.model / "config.json").is_file()


def test_grpo_runs_from_the_command_line_with_the_project_s_rewards(
    reasoned: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    settings = tuning(tiny_model, steps=2, generations=4, completion_tokens=8, prompts=4)
    (tmp_path / "grpo.yaml").write_text(yaml.safe_dump(settings))
    given = ["grpo", str(reasoned), "--out", str(tmp_path / "out"), "--config", str(tmp_path / "grpo.yaml"), "--json"]
    done = CliRunner().invoke(command, given, catch_exceptions=False)
    said = json.loads(done.stdout)
    assert said["rows"] == 4
    assert all(0 <= said["reward"][end] <= 1 for end in ("first", "last"))


def test_a_missing_model_is_one_clear_error(reasoned: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    from training.sft import train_sft

    with pytest.raises(InputError, match="cannot be loaded"):
        train_sft(reasoned, tmp_path, SftConfig(**tuning(tmp_path / "nowhere", steps=1)))
