"""Does training on a release reach its goals? The controls, ablations, resumption, rewards, and tuning by TRL.

Usage: python benchmarks/training.py [--release DIR] [--quick] [--json FILE]

`--quick` trains for one epoch and leaves ablations and tuning out, to show that all runs; its accuracies are not those
of the claims. Other seeds than the demo's change the model, never the release.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import re
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

# This folder holds a script named as the package `training`: the package must win.
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]

import torch  # noqa: E402

from benchmarks._claims import Claim, claim, keep, tell  # noqa: E402
from benchmarks._demo import demo_release  # noqa: E402
from training.config import TrainingConfig  # noqa: E402
from training.contrastive import train_contrastive  # noqa: E402
from training.evaluate import measure  # noqa: E402
from training.instruct import reasoning_prompts  # noqa: E402
from training.loader import FieldCache, Wanted  # noqa: E402
from training.model import read_checkpoint  # noqa: E402
from training.release import Release, Split  # noqa: E402
from training.rewards import EntityReward, format_reward, without_tags  # noqa: E402
from training.trajectory import trajectory_of  # noqa: E402
from training.tuning_config import GrpoConfig, SftConfig  # noqa: E402

ABLATIONS = {"alpha 0": {"alpha": 0.0}, "beta 0": {"beta": 0.0}}
SEEDS = (0, 1, 2)
ABLATION_EPOCHS = 10
CONFIG = TrainingConfig(image_px=192, threads=2)
"""The defaults, on tiles in the size in which the demo publishes them."""
SFT_STEPS, GRPO_STEPS = 100, 30


def train(release: Path, config: TrainingConfig) -> tuple[dict[str, Any], float, float]:
    """Train and evaluate once; returns the evaluation, wall and CPU seconds of training."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        result = train_contrastive(release, Path(folder), config)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return measure(release, result.checkpoint), wall, cpu


def at_chance(name: str, row: dict[str, Any], chance: float) -> Claim:
    """Return the claim that a control's interval covers chance."""
    low, high = row["interval"]
    return claim(name, row["accuracy"], "accuracy", f"covers {chance:.2f}", low <= chance <= high)


def main_run(release: Path, config: TrainingConfig) -> list[Claim]:
    """Train with the defaults and hold the result against the goals."""
    report, wall, cpu = train(release, config)
    pairs, asked, blind = report["pairwise"], report["multiple_choice"], report["blind"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [
        claim("held-out hard negatives", pairs["accuracy"], "accuracy", ">= 0.90", pairs["accuracy"] >= 0.9),
        claim("held-out questions", asked["accuracy"], "accuracy", ">= 0.80", asked["accuracy"] >= 0.8),
        claim("held-out questions, circular", asked["circular"]["accuracy"], "accuracy", "", True),
        at_chance("blind pairs", blind["pairwise"], 0.5),
        at_chance("blind questions", blind["multiple_choice"], asked["chance"]),
        at_chance("shuffled pairs", blind["shuffled"]["pairwise"], 0.5),
        at_chance("shuffled questions", blind["shuffled"]["multiple_choice"], asked["chance"]),
        claim("training, wall", wall, "s", "<= 180", wall <= 180),
        claim("training, CPU of two threads", cpu, "s", "", True),
        claim("peak memory", peak, "MiB", "<= 1229", peak <= 1229),
    ]
    groups = {f"pairs: {name}": row for name, row in pairs["by_operator_role"].items()}
    groups |= {f"questions: {name}": row for name, row in asked["by_dimension"].items()}
    groups |= {f"zero-shot: {name.replace('_', ' ')}": row for name, row in report["zero_shot"].items()}
    rows += [claim(name, row["accuracy"], f"accuracy, n {row['n']}", "", True) for name, row in groups.items()]
    for way in ("image_to_text", "text_to_image"):
        value = report["retrieval"][way]["recall_at_10"]
        rows.append(claim(f"retrieval, {way.replace('_', ' ')}", value, "recall at 10", "", True))
    return rows


def ablations(release: Path, config: TrainingConfig) -> list[Claim]:
    """Leave out the terms of PathoHR, over three seeds at half the epochs, and report whatever comes out.

    Tiles are decoded and described once for all runs; only what is trained differs.
    """
    config = config.model_copy(update={"epochs": ABLATION_EPOCHS})

    @functools.cache
    def fields(address: str, split: Split, wanted: Wanted, threads: int) -> FieldCache:
        return FieldCache(Release(address), split, wanted, threads)

    def once(source: Release, split: Split, wanted: Wanted, threads: int = 2) -> FieldCache:
        return fields(source.address, split, wanted, threads)

    rows = []
    with patch("training.source.FieldCache", once), patch("training.embed.FieldCache", once):
        for name, change in {"all terms": {}, **ABLATIONS}.items():
            reports = [train(release, config.model_copy(update={**change, "seed": seed}))[0] for seed in SEEDS]
            for measured in ("pairwise", "multiple_choice"):
                values = [report[measured]["accuracy"] for report in reports]
                unit = f"mean of {len(values)}, range {max(values) - min(values):.3f}"
                title = f"{ABLATION_EPOCHS} epochs, {name}: {measured.replace('_', ' ')}"
                rows.append(claim(title, fmean(values), unit, "", True))
    return rows


class _Stop(Exception):  # noqa: N818  (no error: it stands for a kill)
    pass


def resumption(release: Path) -> list[Claim]:
    """Kill a run at its thirteenth step, continue it, and compare every tensor with those of a run left alone."""

    def kill(step: int, _steps: int, _losses: dict[str, float]) -> None:
        if step == 13:
            raise _Stop

    config = TrainingConfig(front_end="none", width=8, image_px=64, crop_px=None, steps=24, checkpoint_steps=5)
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole", Path(folder) / "cut"
        train_contrastive(release, whole, config)
        with contextlib.suppress(_Stop):
            train_contrastive(release, cut, config, kill)
        resumed = train_contrastive(release, cut, config)
        one, two = (read_checkpoint(path)["model"] for path in (whole, cut))
        same = sum(torch.equal(one[name], two[name]) for name in one) / len(one)
    unit = f"of {len(one)} tensors equal, resumed at step {resumed.resumed_at} of 24"
    return [claim("killed and resumed on the CPU", same, unit, "1.0", same == 1.0)]


def tuning(release: Path) -> list[Claim]:
    """Tune a tiny random language model on the release's trajectories, then by its rewards."""
    from benchmarks._tiny_language_model import write_tiny_qwen2
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
            model=str(tuned.model), source="reasoning", steps=GRPO_STEPS, batch=32, generations=8,
            completion_tokens=160, lr=1e-3, **shared,
        )  # fmt: skip
        reward = _curve(train_grpo(release, Path(folder) / "grpo", rewarded).history, "reward")
        loss = _curve(tuned.history, "loss")
    (before, after), (low, high) = ((fmean(curve[:8]), fmean(curve[-8:])) for curve in (loss, reward))
    return [
        claim(
            "SFT of a tiny random model: loss",
            after,
            f"from {before:.2f} in {len(loss)} steps",
            "falls",
            after < before,
        ),
        claim("GRPO after it: reward", high, f"from {low:.2f} in {len(reward)} steps", "rises", high > low),
    ]


def _curve(history: list[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in history if name in row]


def flipped(text: str, entity: EntityReward) -> Iterator[str]:
    """Yield the text with one present finding denied: `no` before it."""
    for link in entity.links(text):
        if link.status == "present" and not re.search(r"\b(?:no|without)\s*$", text[: link.start]):
            yield f"{text[: link.start]}no {text[link.start : link.end]}{text[link.end :]}"


def rewards(release: Path) -> list[Claim]:
    """Count how often the entity reward falls when a finding is denied or swapped, and the form of the samples."""
    source = Release(release)
    entity, sibling = EntityReward.of_release(source), siblings(source)
    rows = source.read("reasoning", "test", ["observe", "think", "answer"]).to_pylist()
    denied, changed, form = list[bool](), list[bool](), list[float]()
    for trajectory in map(trajectory_of, rows):
        form.append(format_reward(trajectory.text()))
        text = without_tags(f"{trajectory.observe}\n{trajectory.answer}")
        denied += [entity(other, text) < 1 for other in flipped(text, entity)]
        changed += [entity(other, text) < 1 for other in swapped(text, entity, sibling)]
    return [
        claim(
            "entity reward falls on a negation flip",
            fmean(denied),
            f"of {len(denied)} flips",
            ">= 0.95",
            fmean(denied) >= 0.95,
        ),
        claim("entity reward falls on a sibling swap", fmean(changed), f"of {len(changed)} swaps", "1.0", all(changed)),
        claim("format reward of the release's samples", fmean(form), f"mean of {len(form)}", "1.0", min(form) == 1.0),
        _captions(source, entity),
    ]


def _captions(source: Release, entity: EntityReward) -> Claim:
    """Return the same for swaps in captions, whose wording the lexicon does not know everywhere."""
    captions = source.read("captions", "test", ["caption_id", "text"]).to_pydict()
    wording = dict(zip(captions["caption_id"], captions["text"], strict=True))
    columns = ["caption_id", "text", "operator", "from_concept", "to_concept"]
    fell = [
        entity(row["text"], wording[row["caption_id"]]) < 1
        for row in source.read("perturbations", "test", columns).to_pylist()
        if row["operator"] == "replace" and row["from_concept"] != row["to_concept"]
    ]
    return claim("the same on captions, free wording", fmean(fell), f"of {len(fell)} swaps", "", True)


def siblings(source: Release) -> dict[str, str]:
    """Return concept -> label of a sibling, as the release's own perturbations replace it."""
    labels = {row["concept_id"]: row["label"] for row in source.lexicon().to_pylist()}
    found: dict[str, str] = {}
    for row in source.read("perturbations", "test", ["operator", "from_concept", "to_concept"]).to_pylist():
        pair = (row["from_concept"], row["to_concept"])
        if row["operator"] == "replace" and all(pair) and pair[0] != pair[1] and pair[1] in labels:
            found.setdefault(pair[0], labels[pair[1]])
    return found


def swapped(text: str, entity: EntityReward, sibling: dict[str, str]) -> Iterator[str]:
    """Yield the text with one concept replaced by the label of its sibling."""
    for link in entity.links(text):
        if link.concept_id in sibling:
            yield f"{text[: link.start]}{sibling[link.concept_id]}{text[link.end :]}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the claims here")
    parser.add_argument("--quick", action="store_true", help="one epoch, no ablations")
    parser.add_argument("--release", type=Path, help="release to train on; default: that of make demo")
    options = parser.parse_args()
    release = options.release or demo_release()
    config = CONFIG.model_copy(update={"epochs": 1}) if options.quick else CONFIG
    parts: list[Callable[[], list[Claim]]] = [
        lambda: rewards(release),
        lambda: main_run(release, config),
        lambda: resumption(release),
    ]
    if not options.quick:
        parts.append(lambda: ablations(release, config))
        parts += [lambda: tuning(release)] if importlib.util.find_spec("trl") else []
    report: list[Claim] = []
    for part in parts:
        found = part()
        tell(found)
        report += found
    keep(report, options.json)


if __name__ == "__main__":
    main()
