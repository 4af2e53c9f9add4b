from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from benchmarks._tiny_language_model import write_tiny_qwen2
from demo.scripted_endpoint import Body, Said, ScriptedEndpoint
from flows.commands.train import command
from schemas.errors import InputError, MissingExtraError
from tests.training.conftest import STEPS
from training.conversation import Conversation
from training.grpo import Wording, train_grpo
from training.instruct import IGNORED, question_prompts, trajectory_rows
from training.judge import Judge, grade
from training.language_model import attention
from training.release import Release
from training.sft import train_sft
from training.tile_index import TileIndex
from training.tuning_config import GrpoConfig, SftConfig
from training.tuning_run import RUN

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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompts": 3, "generations": 2, "batch": 8}, "3 prompts are fewer than the 4"),
        ({"generations": 3}, "divisible"),
    ],
)
def test_a_grpo_run_that_could_not_take_one_step_is_refused(
    reasoned: Path, tmp_path: Path, settings: dict[str, int], message: str
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    config = GrpoConfig(**tuning(tmp_path, source="reasoning", **settings))
    with pytest.raises(InputError, match=message):
        train_grpo(reasoned, tmp_path / "out", config)


def test_a_missing_model_is_one_clear_error(reasoned: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    with pytest.raises(InputError, match="cannot be loaded"):
        train_sft(reasoned, tmp_path, SftConfig(**tuning(tmp_path / "nowhere", steps=1)))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def cut_after(step: int, whole: Path, cut: Path) -> None:
    """Leave what a run leaves that was killed while it wrote the checkpoint after the one of a step."""
    shutil.copytree(whole / f"checkpoint-{step}", cut / f"checkpoint-{step}")
    shutil.copy(whole / RUN, cut)
    (cut / f"checkpoint-{2 * step}").mkdir()
    (cut / f"checkpoint-{2 * step}" / "model.safetensors").write_bytes(b"torn")


def test_a_fine_tuning_that_was_cut_short_ends_as_one_left_alone(
    reasoned: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    config = SftConfig(**tuning(tiny_model, steps=4, tokens=600, save_steps=2, accumulate=2))
    whole = train_sft(reasoned, tmp_path / "whole", config)
    cut_after(2, tmp_path / "whole", tmp_path / "cut")
    resumed = train_sft(reasoned, tmp_path / "cut", config)
    assert weights(resumed.model) == weights(whole.model) != weights(tmp_path / "whole" / "checkpoint-2")
    losses = [[row["loss"] for row in result.history if "loss" in row] for result in (whole, resumed)]
    assert losses[0] == losses[1]
    with pytest.raises(InputError, match="another configuration or release"):
        train_sft(reasoned, tmp_path / "whole", config.model_copy(update={"seed": 1}))


def graded(prompts: Sequence[str]) -> list[str]:
    return [str(prompt.count("e") % 11) for prompt in prompts]


def test_a_grpo_run_that_was_cut_short_ends_as_one_left_alone(reasoned: Path, tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    settings = tuning(tiny_model, steps=4, generations=4, completion_tokens=16, save_steps=2, source="reasoning")
    config, judge = GrpoConfig(**settings), Judge(graded)
    whole = train_grpo(reasoned, tmp_path / "whole", config, judge=judge)
    cut_after(2, tmp_path / "whole", tmp_path / "cut")
    resumed = train_grpo(reasoned, tmp_path / "cut", config, judge=judge)
    assert weights(resumed.model) == weights(whole.model) != weights(tmp_path / "whole" / "checkpoint-2")
    with pytest.raises(InputError, match="another configuration or release"):
        train_grpo(reasoned, tmp_path / "whole", config)  # without the judge it is another run


def test_a_judge_behind_an_endpoint_is_asked_from_the_command_line(
    reasoned: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    pytest.importorskip("openai", reason="the extra [llm] is not installed")
    settings = tuning(tiny_model, steps=1, generations=4, completion_tokens=8, source="reasoning")
    (tmp_path / "grpo.yaml").write_text(yaml.safe_dump(settings))
    calls: list[str] = []

    def model(body: Body) -> Said:
        calls.append(body["messages"][0]["content"])
        return Said("7" if len(calls) > 1 else "it is hard to say")

    with ScriptedEndpoint(model) as server:
        endpoint = {"base_url": server.url, "model": "scripted", "concurrency": 1}
        (tmp_path / "judge.yaml").write_text(yaml.safe_dump(endpoint))
        given = ["grpo", str(reasoned), "--out", str(tmp_path / "out"), "--config", str(tmp_path / "grpo.yaml")]
        done = CliRunner().invoke(
            command, [*given, "--judge", str(tmp_path / "judge.yaml"), "--json"], catch_exceptions=False
        )
    said = json.loads(done.stdout)
    assert len(calls) == 4
    assert all(STEPS[1] in call for call in calls)
    assert said["unjudged"] == 1
    assert said["reward"]["first"] == pytest.approx(3 / 4 * 0.7 / 2.5, abs=1e-4)  # no form, no concept, three grades
    assert (tmp_path / "out" / "judge" / "ledger.jsonl").is_file()


@pytest.mark.parametrize(
    ("answer", "value"), [("7", 0.7), (" 10/10.", 1.0), ("0", 0.0), ("11", None), ("seven", None), ("7 or 8", None)]
)
def test_a_grade_is_a_whole_number_up_to_ten(answer: str, value: float | None) -> None:
    assert grade(answer) == value


def test_questions_have_no_judge(reasoned: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a judge"):
        train_grpo(reasoned, tmp_path, GrpoConfig(model="any"), judge=Judge(graded))


class Seer(Letters):
    """A processor of one token per letter and nine per picture."""

    def __call__(self, text: list[str], images: list[Any] | None, return_tensors: str) -> dict[str, Any]:
        import torch

        return {"input_ids": torch.zeros(1, len(text[0]) + 9 * len(images or []), dtype=torch.long)}


def test_pictures_are_decoded_only_when_their_row_is_asked_for(miniature: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    release = Release(miniature)
    rows = list(question_prompts(release, "train"))
    conversation = Conversation(release, "train", Seer(), images=True, image_px=32)
    seen = datasets.Dataset.from_list(rows).with_transform(Wording(conversation, images=True))
    assert "images" not in seen.column_names
    row = seen[5]
    index = TileIndex(release, "train")
    assert [picture.size for picture in row["images"]] == [(32, 32)] * len(index.tiles(rows[5]["field_id"]))
    assert [picture.tobytes() for picture in row["images"]] == [
        picture.tobytes() for picture in conversation.pictures(rows[5]["field_id"])
    ]
    assert row["options"] == rows[5]["options"]
    assert [part["type"] for part in row["prompt"][0]["content"]] == ["image"] * 3 + ["text"]


def test_the_tokens_of_pictures_count_towards_the_limit(reasoned: Path, tmp_path: Path) -> None:
    conversation = Conversation(Release(reasoned), "train", Seer(), images=True, image_px=32)
    assert conversation.image_tokens("what?", "field_train_0000") == 27
    assert Conversation(Release(reasoned), "train", Seer(), images=False, image_px=32).image_tokens("what?", "f") == 0
    lengths = [len(row.input_ids) for _, _, row in trajectory_rows(Release(reasoned), "train", Letters()) if row]
    from training.sft import _rows

    for tokens, left_out in ((max(lengths) + 27, 0), (max(lengths) + 26, lengths.count(max(lengths)))):
        config = SftConfig(model="any", tokens=tokens)
        assert _rows(Release(reasoned), "train", conversation, config)[1] == left_out


def test_deepspeed_is_set_up_before_the_model_is_loaded(reasoned: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    settings = tuning(tmp_path / "nowhere", steps=1, deepspeed="training/recipes/zero3.json")
    with pytest.raises(MissingExtraError, match="deepspeed"):
        train_sft(reasoned, tmp_path, SftConfig(**settings))


def test_flash_attention_is_taken_where_it_is_installed_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    assert attention(SftConfig(model="any")) is None
    monkeypatch.setattr("transformers.utils.is_flash_attn_2_available", lambda: True)
    assert attention(SftConfig(model="any")) == "flash_attention_2"
    assert attention(SftConfig(model="any", cpu=True)) is None
    assert attention(SftConfig(model="any", attention="sdpa")) == "sdpa"
