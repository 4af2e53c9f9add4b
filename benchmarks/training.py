"""Does training on a release reach its goals? The controls, ablations, resumption, rewards, and tuning by TRL.

Usage: python -m benchmarks.training [--release DIR] [--quick] [--json FILE]

`--quick` trains for one epoch and leaves ablations and tuning out, to show that all runs; its accuracies are not those
of the claims. Other seeds than the demo's change the model, never the release.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import torch

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._demo import demo_release
from benchmarks._rewards import rewards
from benchmarks._tuning import tuning
from training.batch import Wanted
from training.config import TrainingConfig
from training.contrastive import train_contrastive
from training.evaluate import measure
from training.field_cache import FieldCache
from training.model import read_checkpoint
from training.release import Release, Split

ABLATIONS = {"alpha 0": {"alpha": 0.0}, "beta 0": {"beta": 0.0}}
SEEDS = (0, 1, 2)
ABLATION_EPOCHS = 10
CONFIG = TrainingConfig(image_px=192, threads=2, epochs=32)
"""The defaults, longer than the demo has time for (by the validation patients it pays), on tiles in the demo's size."""


def train(release: Path, config: TrainingConfig) -> dict[str, Any]:
    """Train and evaluate once."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(release, train_contrastive(release, Path(folder), config).checkpoint)


def at_chance(name: str, row: dict[str, Any], chance: float) -> Claim:
    """Return the claim that a control's interval covers chance."""
    low, high = row["interval"]
    return claim(name, row["accuracy"], "accuracy", f"covers {chance:.2f}", low <= chance <= high)


def main_run(release: Path, config: TrainingConfig) -> list[Claim]:
    """Train once and hold the result against the goals."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        result = train_contrastive(release, Path(folder), config)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        report, chosen_on = (measure(release, result.checkpoint, split=split) for split in ("test", "val"))
    pairs, asked, blind = report["pairwise"], report["multiple_choice"], report["blind"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [
        claim("held-out hard negatives", pairs["accuracy"], by_patient(pairs), ">= 0.90", pairs["accuracy"] >= 0.9),
        claim("held-out questions", asked["accuracy"], by_patient(asked), ">= 0.80", asked["accuracy"] >= 0.8),
        claim("held-out questions, circular", asked["circular"]["accuracy"], by_patient(asked["circular"])),
        *(
            claim(f"validation patients: {name.replace('_', ' ')}", row["accuracy"], by_patient(row))
            for name, row in ((name, chosen_on[name]) for name in ("pairwise", "multiple_choice"))
        ),
        at_chance("blind pairs", blind["pairwise"], 0.5),
        *mirrored(report),
        at_chance("blind questions", blind["multiple_choice"], asked["chance"]),
        at_chance("shuffled pairs", blind["shuffled"]["pairwise"], 0.5),
        at_chance("shuffled questions", blind["shuffled"]["multiple_choice"], asked["chance"]),
        claim("training, wall", wall, "s", "<= 180", wall <= 180),
        claim("training, CPU of two threads", cpu, "s"),
        claim("peak memory", peak, "MiB", "<= 1229", peak <= 1229),
    ]
    groups = {f"pairs: {name}": row for name, row in pairs["by_operator_role"].items()}
    groups |= {f"questions: {name}": row for name, row in asked["by_dimension"].items()}
    groups |= {f"zero-shot: {name.replace('_', ' ')}": row for name, row in report["zero_shot"].items()}
    rows += [claim(name, row["accuracy"], f"accuracy, n {row['n']}") for name, row in groups.items()]
    return rows + [row for way, found in report["retrieval"].items() if "_to_" in way for row in retrieved(way, found)]


def by_patient(row: dict[str, Any]) -> str:
    """Return the unit of an accuracy with its 95% interval, which is that of the patients."""
    low, high = row["interval"]
    return f"accuracy, {low:.3f} to {high:.3f} by {row['patients']} patients"


def mirrored(report: dict[str, Any]) -> list[Claim]:
    """Return the claims on mirrored pairs alone: a reader of texts gets half of them by counting."""
    seen = report["pairwise"]["mirrored"]
    if seen is None:
        return [claim("mirrored pairs", "not measured: the split has none", "", "controls cover 0.50", False)]
    blind = report["blind"]["pairwise"]["mirrored"], report["blind"]["shuffled"]["pairwise"]["mirrored"]
    return [
        claim("mirrored pairs", seen["accuracy"], f"accuracy, n {seen['n']}"),
        at_chance("blind mirrored pairs", blind[0], 0.5),
        at_chance("shuffled mirrored pairs", blind[1], 0.5),
    ]


def retrieved(way: str, found: dict[str, Any]) -> list[Claim]:
    """Return the claims on one direction of retrieval: recall, and at depth 10 the gain over no image."""
    name, deepest = f"retrieval, {way.replace('_', ' ')}", found["at"]["10"]
    rows = [claim(name, found[f"recall_at_{depth}"], f"recall at {depth}") for depth in (1, 5)]
    low, high = deepest["gain"]["interval"]
    chance = f"recall at 10, chance {deepest['chance']:.3f}"
    return [
        *rows,
        claim(name, found["recall_at_10"], chance),
        claim(f"{name}: without the image", deepest["blind"]["accuracy"], "recall at 10"),
        claim(f"{name}: images of other patients", deepest["shuffled"]["accuracy"], "recall at 10"),
        claim(f"{name}: gain over no image", deepest["gain"]["difference"], f"{low:.3f} to {high:.3f}", "> 0", low > 0),
    ]


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
            reports = [train(release, config.model_copy(update={**change, "seed": seed})) for seed in SEEDS]
            for measured in ("pairwise", "multiple_choice"):
                values = [report[measured]["accuracy"] for report in reports]
                unit = f"mean of {len(values)}, range {max(values) - min(values):.3f}"
                title = f"{ABLATION_EPOCHS} epochs, {name}: {measured.replace('_', ' ')}"
                rows.append(claim(title, fmean(values), unit))
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
        parts += [lambda: ablations(release, config), lambda: tuning(release)]
    report: list[Claim] = []
    for part in parts:
        found = part()
        tell(found)
        report += found
    keep(report, options.json)


if __name__ == "__main__":
    main()
