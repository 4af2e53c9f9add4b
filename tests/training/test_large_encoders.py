"""What the files for large runs start, on tiny random models of the same classes; needs the extra [clip]."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainingConfig
from training.contrastive import train_contrastive
from training.evaluate import measure
from training.tuning_config import GrpoConfig, SftConfig

pytest.importorskip("torchvision", reason="torchvision is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of open_clip, transformers and TRL are theirs
IMAGE_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
TEMPLATE = (
    "{% for m in messages %}{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two layers with random weights, as a local directory of open_clip."""
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    import torch

    folder = tmp_path_factory.mktemp("clip")
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 2}
    sizes = {"embed_dim": 32, "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16}}
    whole = {"model_cfg": {**sizes, "text_cfg": text}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    torch.manual_seed(0)
    model = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32") | {**sizes, "text_cfg": text})
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL of two layers with random weights, a byte tokenizer and its own image processor."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>", *IMAGE_TOKENS], initial_alphabet=alphabet
    )
    raw.train_from_iterator(["<observe> <think> <answer>"] * 3, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>", pad_token="<end>")  # noqa: S106
    start, end, image, video = tokenizer.convert_tokens_to_ids(IMAGE_TOKENS)
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    }  # fmt: skip
    seen = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32}
    config = transformers.Qwen2_5_VLConfig(
        text_config=text, vision_config={**seen, "fullatt_block_indexes": [1]}, image_token_id=image,
        vision_start_token_id=start, vision_end_token_id=end, video_token_id=video,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("qwen") / "model"
    transformers.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56),
        tokenizer=tokenizer, video_processor=transformers.Qwen2VLVideoProcessor(), chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_a_clip_from_a_local_directory_trains_and_is_evaluated(
    miniature: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    config = TrainingConfig(encoder=f"local-dir:{tiny_clip}", steps=2, batch=6, image_px=64, crop_px=None, threads=1)
    result = train_contrastive(miniature, tmp_path, config)
    assert result.finished
    assert 0 <= measure(miniature, result.checkpoint)["pairwise"]["accuracy"] <= 1


def test_an_encoder_is_found_by_name_by_folder_and_by_hub_id_and_brings_its_weights(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from huggingface_hub import constants

    from training.open_clip_encoder import OpenClipDualEncoder

    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    weights = tiny_clip / "open_clip_pytorch_model.bin"
    named = tmp_path / "named" / "tiny-clip.json"
    named.parent.mkdir()
    named.write_text(json.dumps(json.loads((tiny_clip / "open_clip_config.json").read_text())["model_cfg"]))
    open_clip.add_model_config(named)
    stored = tmp_path / "hub" / "models--someone--tiny-clip"
    shutil.copytree(tiny_clip, stored / "snapshots" / "0123")
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("0123")
    for name, value in {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": True}.items():
        monkeypatch.setattr(constants, name, value)
    held = torch.load(weights, weights_only=True)
    ways = {"tiny-clip": str(weights), f"local-dir:{tiny_clip}": None, "hf-hub:someone/tiny-clip": None}
    for name, pretrained in ways.items():
        encoder = OpenClipDualEncoder(name, pretrained, temperature=0.07)
        found = encoder.clip.state_dict()
        assert all(torch.equal(found[key], value) for key, value in held.items()), name
        assert encoder.size_px == 64


def tuning(model: Path, **more: Any) -> dict[str, Any]:
    return {"model": str(model), "image_px": 56, "cpu": True, "precision": "fp32", "steps": 2, "batch": 2, **more}


def test_a_vision_language_model_learns_trajectories_from_tiles(
    reasoned: Path, tiny_qwen: Path, tmp_path: Path
) -> None:
    from training.sft import train_sft

    result = train_sft(reasoned, tmp_path, SftConfig(**tuning(tiny_qwen, lr=1e-2, tokens=900)))
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert losses[-1] < losses[0]


def test_a_vision_language_model_is_rewarded_for_questions_on_tiles(
    reasoned: Path, tiny_qwen: Path, tmp_path: Path
) -> None:
    from training.grpo import train_grpo

    settings = tuning(tiny_qwen, generations=2, completion_tokens=6, prompts=2)
    result = train_grpo(reasoned, tmp_path, GrpoConfig(**settings))
    assert len([row for row in result.history if "reward" in row]) == 2
