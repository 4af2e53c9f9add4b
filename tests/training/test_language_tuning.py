from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.arrow import to_table
from schemas.errors import InputError
from schemas.records import Provenance, Reasoning, ReasoningStep
from training.instruct import IGNORED, question_prompts, trajectory_rows
from training.release import Release
from training.tuning_config import GrpoConfig, SftConfig

pytestmark = pytest.mark.filterwarnings("ignore")  # those of transformers and TRL are theirs
STEPS = ("Glands are seen.", "Glands speak for adenocarcinoma.", "No necrosis is seen.")


@pytest.fixture(scope="module")
def reasoned(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature release with reasoning samples."""
    release = tmp_path_factory.mktemp("reasoned") / "release"
    shutil.copytree(miniature, release)
    rows = [
        Reasoning(
            sample_id=f"reason_{number}", field_id=f"field_train_{number:04d}", slide_id="s", patient_id="p",
            prompt="What is it?", observe="Glands.", think=tuple(ReasoningStep(step, None, None) for step in STEPS),
            answer="adenocarcinoma", kg_path=(), concept_ids=(), concept_status=(), provenance=Provenance("rules"),
        )
        for number in range(8)
    ]  # fmt: skip
    (release / "data" / "reasoning").mkdir()
    pq.write_table(to_table(rows, Reasoning), release / "data" / "reasoning" / "train-00000-of-00001.parquet")
    return release


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 of two layers with random weights and a byte tokenizer."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    import torch

    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, special_tokens=["<end>"], initial_alphabet=alphabet)
    raw.train_from_iterator(["<observe> <think> <answer>"] * 3, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>", pad_token="<end>")  # noqa: S106
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings = transformers.Qwen2Config(
        vocab_size=len(tokenizer), num_key_value_heads=2, pad_token_id=0, eos_token_id=0, bos_token_id=None, **sizes
    )
    folder = tmp_path_factory.mktemp("tiny") / "model"
    transformers.Qwen2ForCausalLM(settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


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


def test_grpo_runs_with_the_project_s_rewards(reasoned: Path, tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    from training.grpo import train_grpo

    settings = tuning(tiny_model, steps=2, generations=4, completion_tokens=8, prompts=4)
    result = train_grpo(reasoned, tmp_path, GrpoConfig(**settings))
    rewards = [row["reward"] for row in result.history if "reward" in row]
    assert len(rewards) == 2
    assert all(0 <= reward <= 1 for reward in rewards)


def test_a_missing_model_is_one_clear_error(reasoned: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    from training.sft import train_sft

    with pytest.raises(InputError, match="cannot be loaded"):
        train_sft(reasoned, tmp_path, SftConfig(**tuning(tmp_path / "nowhere", steps=1)))
