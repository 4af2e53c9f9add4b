"""One optimiser step of contrastive training: from a batch of fields and its texts to losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.config import TrainingConfig
from training.encoder import Images
from training.losses import contrastive_loss, multi_positive_info_nce, negative_loss, question_loss, scale_loss
from training.refine import refine
from training.text_sampler import TextBatch


@dataclass(frozen=True, slots=True)
class Losses:
    """The terms of one step and their weighted sum."""

    loss: Tensor
    contrastive: Tensor
    negative: Tensor
    positive: Tensor
    question: Tensor
    finding: Tensor
    scale: Tensor

    def values(self) -> dict[str, float]:
        """Return the terms as plain numbers."""
        return {name: float(getattr(self, name).detach()) for name in self.__slots__}


LOW_JITTER = 0.1
"""Largest shift of a crop at the low scale, as a share of the tile: the field is the middle of its low tile."""


def augment(
    images: Images, generator: torch.Generator, *, crop_px: int | None, turn: bool, refined: float = 0.0
) -> Images:
    """Return crops of the images under flips and quarter turns, drawn once per scale and batch: tissue has no upside.

    At the low scale crops lie about the middle, at the others anywhere. A share `refined` of scales and batches is
    refined by wavelets and morphology.

    Shapes:
        pixels (B, 3, 3, H, W) to (B, 3, 3, crop_px, crop_px), or the same where `crop_px` is None or not smaller.
    """
    if images.pixels is None:
        return images
    side = images.pixels.shape[-1]
    size = side if crop_px is None else min(crop_px, side)
    scales = []
    for place in range(images.pixels.shape[1]):
        spare = side - size
        span = spare if place else min(spare, round(2 * LOW_JITTER * side))
        first = (spare - span) // 2
        top, left = (first + _draw(span + 1, generator) for _ in range(2))
        pixels = images.pixels[:, place, :, top : top + size, left : left + size]
        if turn:
            pixels = pixels.flip(-1) if _draw(2, generator) else pixels
            pixels = torch.rot90(pixels, _draw(4, generator), dims=(-2, -1))
        if refined and float(torch.rand((), generator=generator)) < refined:
            pixels = refine(pixels, generator)
        scales.append(pixels)
    return Images(torch.stack(scales, dim=1), images.present, images.described)


def _draw(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(0, below, (), generator=generator))


def step_losses(logits: Tensor, said: Tensor, batch: TextBatch, config: TrainingConfig, parts: int) -> Losses:
    """Return L = L_con + alpha L_neg + beta L_pos + gamma L_question + delta L_finding + epsilon L_scale of one batch.

    Args:
        logits: (B, T), fields against the texts of the batch.
        said: (T, D), unit vectors of the texts.
        batch: the texts and what each field has to do with them.
        config: the weights.
        parts: into how many parts the encoder's vectors fall; 1 leaves L_scale out.
    """
    device = logits.device
    true = torch.from_numpy(batch.true).to(device)
    known = torch.from_numpy(~batch.unknown).to(device)
    drawn, full = (torch.from_numpy(marks).to(device) for marks in (batch.drawn, batch.full))
    contrastive = contrastive_loss(logits, true & drawn, known & drawn)
    positive = multi_positive_info_nce(logits, true & full, known & full)
    negative = _negative(logits, batch)
    question, finding = (_chosen(logits, asked) for asked in (batch.questions, batch.findings))
    total = contrastive + config.alpha * negative + config.beta * positive
    total = total + config.gamma * question + config.delta * finding
    scale = scale_loss(said, parts, torch.from_numpy(batch.scales).to(device)) if parts > 1 else logits.new_zeros(())
    total = total + config.epsilon * scale
    return Losses(total, contrastive, negative, positive, question, finding, scale)


def _negative(logits: Tensor, batch: TextBatch) -> Tensor:
    if not batch.pairs:
        return logits.new_zeros(())
    rows = torch.tensor([row for row, _, _ in batch.pairs], device=logits.device)
    captions = torch.tensor([caption for _, caption, _ in batch.pairs], device=logits.device)
    wrong, present = _padded([columns for _, _, columns in batch.pairs], logits.device)
    return negative_loss(logits[rows], captions, wrong, present)


def _chosen(logits: Tensor, asked: list[tuple[int, list[int], int]]) -> Tensor:
    if not asked:
        return logits.new_zeros(())
    rows = torch.tensor([row for row, _, _ in asked], device=logits.device)
    options, present = _padded([columns for _, columns, _ in asked], logits.device)
    answers = torch.tensor([answer for _, _, answer in asked], device=logits.device)
    return question_loss(logits[rows], options, present, answers)


def _padded(lists: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(columns) for columns in lists)
    values = torch.tensor([columns + [0] * (longest - len(columns)) for columns in lists], device=device)
    lengths = torch.tensor([len(columns) for columns in lists], device=device)
    return values, torch.arange(longest, device=device) < lengths[:, None]
