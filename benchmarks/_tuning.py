"""Do SFT and GRPO learn? A tiny random language model, tuned on a release's trajectories and then by its rewards."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks._claims import Claim, claim
from benchmarks._tiny_language_model import write_tiny_qwen2
from training.instruct import reasoning_prompts
from training.release import Release
from training.tuning_config import GrpoConfig, SftConfig

SFT_STEPS, GRPO_STEPS = 300, 30
ENDS = 15
"""Steps at either end of a curve that are compared."""


def tuning(release: Path) -> list[Claim]:
    """Tune a tiny random language model on the release's trajectories, then by its rewards."""
    if any(importlib.util.find_spec(name) is None for name in ("trl", "transformers", "datasets")):
        goals = {"SFT of a tiny random model: loss": "falls", "GRPO after it: reward": "rises"}
        return [claim(name, "not measured: TRL is not installed", "", goal, False) for name, goal in goals.items()]
    from training.grpo import train_grpo
    from training.sft import train_sft

    rows = list(reasoning_prompts(Release(release), "train"))
    shared: dict[str, Any] = {"images": False, "cpu": True, "precision": "fp32", "save_steps": 1 << 20}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        texts = [row["prompt"] + row["reference"] for row in rows]
        tiny = write_tiny_qwen2(Path(folder) / "tiny", texts, words=1500, width=64)
        asked = SftConfig(model=str(tiny), steps=SFT_STEPS, batch=16, lr=5e-3, tokens=400, **shared)
        tuned = train_sft(release, Path(folder) / "sft", asked)
        rewarded = GrpoConfig(
            model=str(tuned.model), source="reasoning", steps=GRPO_STEPS, batch=32, generations=8, accumulate=2,
            completion_tokens=200, lr=1e-3, prompts=8, **shared,
        )  # fmt: skip
        reward = _curve(train_grpo(release, Path(folder) / "grpo", rewarded).history, "reward")
        loss = _curve(tuned.history, "loss")
    return [
        moved("SFT of a tiny random model: loss", loss, "falls", -1),
        moved("GRPO after it: reward", reward, "rises", 1),
    ]


def _curve(history: list[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in history if name in row]


def moved(name: str, curve: list[float], goal: str, sign: int) -> Claim:
    """Return the claim that the ends of a curve differ, in the right direction, by more than two standard errors."""
    first, last = curve[:ENDS], curve[-ENDS:]
    error = ((stdev(first) ** 2 + stdev(last) ** 2) / ENDS) ** 0.5
    gain = fmean(last) - fmean(first)
    unit = f"mean of the last {ENDS} of {len(curve)} steps, from {fmean(first):.3f}, standard error {error:.3f}"
    return claim(name, fmean(last), unit, f"{goal} by > 2 standard errors", sign * gain > 2 * error)
