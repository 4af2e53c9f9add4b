"""What the optimiser is given: groups of parameters, and the course of the learning rate."""

from __future__ import annotations

import math
from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return two groups: matrices and filters decay; biases, norms, embeddings' places and the temperature do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]


def one_cycle(done: float, warmup: float) -> float:
    """Return the learning rate as a share of its peak: half a cosine up from 1/25, half a cosine down to 0.

    Args:
        done: share of the steps that are done, 0 to 1.
        warmup: share of the steps on the way up.

    References:
        Smith and Topin, Super-Convergence, 2018; without their cycle of momentum.
    """
    if done < warmup:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / warmup)) / 2
    return (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2
