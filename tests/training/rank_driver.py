"""One of several training processes; what torchrun would start. Usage: rank_driver.py RELEASE OUT; prints JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from schemas.ids import digest
from training.config import TrainingConfig
from training.contrastive import train_contrastive
from training.losses import multi_positive_info_nce
from training.model import read_checkpoint
from training.ranks import Ranks


def gradients(ranks: Ranks) -> list[float]:
    """Gradients of a loss over 6 images and 5 texts, encoded by all processes together."""
    torch.manual_seed(0)
    image, text, scale = nn.Linear(4, 3), nn.Linear(4, 3), nn.Parameter(torch.tensor(2.0))
    images, texts = torch.randn(6, 4), list(torch.randn(5, 4))
    positive = torch.eye(6, 5, dtype=torch.bool)
    mine = images.chunk(ranks.count)[ranks.rank]
    seen = ranks.gather(image(mine))
    said = ranks.gather_shares(text(torch.stack(ranks.share(texts))), len(texts))
    torch.autograd.backward(multi_positive_info_nce(ranks.own_part(scale) * seen @ said.T, positive))
    parameters = [*image.parameters(), *text.parameters(), scale]
    ranks.sum_gradients(parameters)
    return [value for p in parameters if p.grad is not None for value in p.grad.flatten().tolist()]


def main() -> None:
    release, out = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    config = TrainingConfig(
        front_end="none", width=8, steps=4, batch=8, image_px=32, embedding=16, text_width=16, threads=1, device="cpu"
    )
    ranks = Ranks.join(gpu=False)
    together = gradients(ranks)
    config = config.model_copy(update={"checkpoint_steps": 2})
    cut = train_contrastive(release, out / "cut", config.model_copy(update={"time_budget_s": 0.001}))
    resumed = train_contrastive(release, out / "cut", config)
    whole = train_contrastive(release, out / "whole", config)
    if ranks.first:
        states = [read_checkpoint(result.checkpoint)["model"] for result in (resumed, whole)]
        digests = [digest([state[name].tolist() for name in sorted(state)]) for state in states]
        said = {
            "gradients": together,
            "alone": gradients(Ranks()),
            "digests": digests,
            "images": whole.images,
            "steps": [cut.steps, resumed.resumed_at, whole.steps],
        }
        sys.stdout.write(json.dumps(said))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
