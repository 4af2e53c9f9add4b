"""Wavelet and morphology refinement of images, as an augmentation: the same tissue, other details.

References:
    Huang et al., PathoHR, EMNLP 2025 (arXiv 2509.06105): wavelets and morphology refine the image branch. The paper
    gives no formula; here the details of a Haar wavelet are weighed anew, band by band, and small structures are
    opened or closed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 3
LEAST_GAIN, MOST_GAIN = 0.5, 1.5
SIDE_PX = 3
MOST_MIXED = 0.6


def refine(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Return images whose wavelet details are weighed anew and whose smallest structures are partly opened or closed.

    One draw for the whole batch; the mean colour of windows of 8 x 8 px hardly changes.

    Shapes:
        (B, 3, H, W) uint8, likewise returned.
    """
    image = pixels.float()
    gains = LEAST_GAIN + (MOST_GAIN - LEAST_GAIN) * torch.rand(LEVELS, generator=generator)
    mixed, opens = torch.rand(2, generator=generator).tolist()
    refined, finer = torch.zeros_like(image), image
    for level, gain in enumerate(gains.tolist(), start=1):
        coarser = _smooth(image, 2**level)
        refined += gain * (finer - coarser)
        finer = coarser
    refined += finer
    sign = 1 if opens < 0.5 else -1  # dark structures are the bright ones of the negative
    changed = sign * _opened(sign * refined)
    blended: Tensor = refined + MOST_MIXED * mixed * (changed - refined)
    return blended.round().clamp(0, 255).to(torch.uint8)


def _smooth(image: Tensor, side: int) -> Tensor:
    """Return the approximation of a Haar wavelet: means of windows, in the size of the image."""
    means = functional.avg_pool2d(image, side, ceil_mode=True, count_include_pad=False)
    large = means.repeat_interleave(side, dim=-2).repeat_interleave(side, dim=-1)
    return large[..., : image.shape[-2], : image.shape[-1]]


def _opened(image: Tensor) -> Tensor:
    eroded = -functional.max_pool2d(-image, SIDE_PX, 1, SIDE_PX // 2)
    return functional.max_pool2d(eroded, SIDE_PX, 1, SIDE_PX // 2)
