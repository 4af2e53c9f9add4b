"""Does training on a release reach its goals, and what do alpha and beta bring? Does the entity reward see a flip?

Usage: python benchmarks/training.py [--release DIR] [--quick] [--json FILE]

`--quick` trains for one epoch, to show that all runs; its accuracies are not those of the claims.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# This folder holds a script named as the package `training`: the package must win.
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]

from training.config import TrainingConfig  # noqa: E402
from training.contrastive import train_contrastive  # noqa: E402
from training.evaluate import measure  # noqa: E402
from training.release import Release  # noqa: E402
from training.rewards import EntityReward, format_reward, without_tags  # noqa: E402
from training.trajectory import trajectory_of  # noqa: E402

DEMO = Path(__file__).resolve().parent.parent / "demo-out" / "store" / "slidesmith-demo" / "1.0.0"
ABLATIONS = {"alpha 0": {"alpha": 0.0}, "beta 0": {"beta": 0.0}, "delta 0": {"delta": 0.0}}
SEEDS = (0, 1, 2)
Claim = dict[str, Any]


def claim(name: str, value: float, unit: str, goal: str, reached: bool) -> Claim:
    """Return one row of the report."""
    return {"claim": name, "value": round(value, 4), "unit": unit, "goal": goal, "reached": reached}


def train(release: Path, config: TrainingConfig) -> tuple[dict[str, Any], float, float]:
    """Train and evaluate once; returns the evaluation, wall and CPU seconds of training."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        result = train_contrastive(release, Path(folder), config)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return measure(release, result.checkpoint), wall, cpu


def main_run(release: Path, config: TrainingConfig) -> list[Claim]:
    """Train with the defaults and hold the result against the goals."""
    report, wall, cpu = train(release, config)
    pairs, asked, blind = report["pairwise"], report["multiple_choice"], report["blind"]
    blind_asked = blind["multiple_choice"]["accuracy"]
    low, high = blind["multiple_choice"]["interval"]
    first, last = blind["pairwise"]["interval"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        claim("held-out hard negatives", pairs["accuracy"], "accuracy", ">= 0.90", pairs["accuracy"] >= 0.9),
        claim("held-out questions", asked["accuracy"], "accuracy", ">= 0.80", asked["accuracy"] >= 0.8),
        claim("blind pairs", blind["pairwise"]["accuracy"], "accuracy", "chance", first <= 0.5 <= last),
        claim("blind questions", blind_asked, "accuracy", "chance", low <= asked["chance"] <= high),
        claim("training, wall", wall, "s", "<= 60", wall <= 60),
        claim("training, CPU", cpu, "s", "", True),
        claim("peak memory", peak, "MiB", "<= 1229", peak <= 1229),
    ]


def ablations(release: Path, config: TrainingConfig) -> list[Claim]:
    """Leave out one term at a time, over three seeds, and report whatever comes out."""
    rows = []
    for name, change in {"all terms": {}, **ABLATIONS}.items():
        reports = [train(release, config.model_copy(update={**change, "seed": seed}))[0] for seed in SEEDS]
        for measured in ("pairwise", "multiple_choice"):
            values = [report[measured]["accuracy"] for report in reports]
            mean, spread = sum(values) / len(values), max(values) - min(values)
            rows.append(claim(f"{name}: {measured}", mean, f"mean of {len(values)}, range {spread:.3f}", "", True))
    return rows


def flipped(text: str, entity: EntityReward) -> Iterator[str]:
    """Yield the text with one present finding denied: `no` before it."""
    for start, end, status in entity.spans(text):
        if status == "present" and not re.search(r"\b(?:no|without)\s*$", text[:start]):
            yield f"{text[:start]}no {text[start:end]}{text[end:]}"


def rewards(release: Path) -> list[Claim]:
    """Count how often the entity reward falls when a finding is denied, and the form of the release's own samples."""
    source = Release(release)
    entity = EntityReward.of_release(source)
    rows = source.read("reasoning", "test", ["observe", "think", "answer"]).to_pylist()
    fell = flips = 0
    form = 0.0
    for trajectory in map(trajectory_of, rows):
        form += format_reward(trajectory.text()) / len(rows)
        text = without_tags(f"{trajectory.observe}\n{trajectory.answer}")
        for changed in flipped(text, entity):
            flips += 1
            fell += entity(changed, text) < 1
    share = fell / max(flips, 1)
    return [
        claim("entity reward falls on a negation flip", share, f"of {flips} flips", ">= 0.95", share >= 0.95),
        claim("format reward of the release's samples", form, f"mean of {len(rows)}", "1.0", form > 1 - 1e-9),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the claims here")
    parser.add_argument("--quick", action="store_true", help="one epoch, no ablations")
    parser.add_argument("--release", type=Path, default=DEMO, help="release to train on; default: that of make demo")
    options = parser.parse_args()
    config = TrainingConfig(epochs=1) if options.quick else TrainingConfig()
    report = rewards(options.release) + main_run(options.release, config)
    report += [] if options.quick else ablations(options.release, config)
    print(f"{'claim':<42}{'value':>10}  {'unit':<26}{'goal':<10}reached")
    for row in report:
        reached = "yes" if row["reached"] else "NO"
        print(f"{row['claim']:<42}{row['value']:>10}  {row['unit']:<26}{row['goal']:<10}{reached}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
