"""How fast does contrastive training of ViT-B/16 go on a GPU, and does the GPU wait for data?

The recipe `training/recipes/clip_vit_b16.yaml` with random weights (speed does not depend on what weights say), in
bfloat16, streamed from Parquet: tiles are decoded again in every epoch. Through open_clip, or, where that is missing,
towers of the same shape out of transformers. Without a GPU, and with `--quick`, a tiny shape shows on the CPU that the
script runs, and the GPU's figures are said to be unmeasured.

Usage: python -m benchmarks.training_gpu [--release DIR] [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._demo import demo_release
from benchmarks._transformers_clip import TINY, VIT_B_16, TransformersClip
from flows.config import load_section
from training.batch import Wanted
from training.config import TrainingConfig
from training.loader import FieldStream
from training.ranks import Ranks
from training.release import Release
from training.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "training" / "recipes" / "clip_vit_b16.yaml"
BATCHES = (16, 32, 64, 96, 128)
"""Fields; each has three tiles."""
WARM, STEPS = 5, 30
MOST_WAITED = 0.05


@dataclass(frozen=True)
class Speed:
    """What a run did after its first steps: tiles a second, and the share of the time spent waiting for data."""

    tiles_per_s: float
    waited: float


class _Stop(Exception):  # noqa: N818  (no error: enough was measured)
    pass


@contextlib.contextmanager
def encoder(shape: dict[str, dict[str, int]] | None, image_px: int) -> Iterator[None]:
    """Let the trainer build towers of a shape out of transformers; None leaves it to open_clip."""
    if shape is None:
        yield
        return

    def build(_config: TrainingConfig, words: list[str]) -> TransformersClip:
        return TransformersClip(shape, words, image_px)

    with patch("training.trainer.build_model", build):
        yield


def run(release: Path, config: TrainingConfig, steps: int) -> Speed:
    """Train for `WARM` steps and then, measured, for more; the model is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        config = config.model_copy(update={"steps": WARM + steps + 1, "checkpoint_steps": 1 << 20})
        trainer = Trainer(Release(release), Path(folder), config, Ranks(), "benchmark")
        seen: dict[int, tuple[float, float, int]] = {}

        def note(step: int, _steps: int, _losses: dict[str, float]) -> None:
            seen[step] = (trainer.clock.worked_s, trainer.clock.waited_s, trainer.images)
            if step == WARM + steps:
                raise _Stop

        with contextlib.suppress(_Stop):
            trainer.run(note, deadline=None)
    worked, waited, images = (last - first for first, last in zip(seen[WARM], seen[WARM + steps], strict=True))
    return Speed(images / (worked + waited), waited / (worked + waited))


def readers(release: Path, batch: int, seed: int) -> int:
    """Return how many loader processes to start: as many as have a whole batch in every epoch, one core left over."""
    stream = FieldStream(Release(release), "train", batch=batch, wanted=Wanted(1), seed=seed)
    most = min(8, len(stream.layout.groups), len(os.sched_getaffinity(0)) - 1)
    full = [n for n in range(1, most + 1) if all(stream.batches_per_epoch(epoch, n) for epoch in range(WARM + STEPS))]
    return max(full, default=0)


def on_cpu(release: Path) -> list[Claim]:
    """Return the figures of a tiny shape on the CPU, which say nothing of a GPU."""
    config = TrainingConfig(
        encoder="tiny", image_px=64, crop_px=None, batch=8, cache_mb=0, captions=2, negatives=4, questions=1,
        device="cpu", threads=1,
    )  # fmt: skip
    with encoder(TINY, config.image_px):
        speed = run(release, config, 5)
    return [
        claim("tiny shape on the CPU", speed.tiles_per_s, "tiles/s", "-", True),
        claim("tiny shape on the CPU: waiting for data", speed.waited, "share of the time", "-", True),
        claim("ViT-B/16, bf16, GPU: speed", "not measured: no GPU", "tiles/s", "-", False),
        claim("ViT-B/16, bf16, GPU: waiting for data", "not measured: no GPU", "", f"<= {MOST_WAITED:g}", False),
    ]


def on_gpu(release: Path, batches: tuple[int, ...], steps: int) -> list[Claim]:
    """Return the figures of ViT-B/16 at several batch sizes, and the claim on the fastest."""
    recipe = load_section(RECIPE, TrainingConfig, "training")
    clip = importlib.util.find_spec("open_clip") is not None
    what = f"ViT-B/16 ({'open_clip' if clip else 'transformers'}), bf16, {torch.cuda.get_device_name()}"
    common = {"pretrained": None, "tensorboard": False, "device": "cuda"}
    rows, speeds = [], dict[int, Speed]()
    with encoder(None if clip else VIT_B_16, recipe.image_px):
        for batch in batches:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            try:
                workers = readers(release, batch, recipe.seed)
                config = recipe.model_copy(update={**common, "batch": batch, "workers": workers})
                speeds[batch] = run(release, config, steps)
            except torch.cuda.OutOfMemoryError:
                rows.append(claim(f"{what}, {batch} fields", "out of memory", "", "-", True))
                continue
            peak = torch.cuda.max_memory_allocated() / 2**30
            unit = f"tiles/s, {workers} readers, {speeds[batch].waited:.1%} waiting, {peak:.1f} GiB"
            rows.append(claim(f"{what}, {batch} fields", speeds[batch].tiles_per_s, unit, "-", True))
    if not speeds:
        return [*rows, claim(f"{what}: waiting for data", "not measured: no memory", "", f"<= {MOST_WAITED:g}", False)]
    best = max(speeds, key=lambda batch: speeds[batch].tiles_per_s)
    waited = speeds[best].waited
    unit = f"share of the time, {best} fields"
    rows.append(claim(f"{what}: waiting for data", waited, unit, f"<= {MOST_WAITED:g}", waited <= MOST_WAITED))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--release", type=Path, help="release to train on; default: that of make demo")
    parser.add_argument("--quick", action="store_true", help="finish within a minute")
    parser.add_argument("--json", type=Path, help="write the claims here")
    arguments = parser.parse_args()
    release = arguments.release or demo_release()
    measured = functools.partial(on_gpu, release)
    if not torch.cuda.is_available():
        rows = on_cpu(release)
    else:
        rows = measured((32,), 10) if arguments.quick else measured(BATCHES, STEPS)
    tell(rows)
    keep(rows, arguments.json)


if __name__ == "__main__":
    main()
