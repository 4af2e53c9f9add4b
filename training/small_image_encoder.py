"""The image side of the small encoder, which learns from scratch on two CPU cores."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from schemas.records.shared import SCALES
from training.encoder import Images


class ScaleTower(nn.Module):
    """One scale's images to one vector: a 4 x 4 patch stem, two strided 3 x 3 convolutions, mean and maximum.

    The mean tells how much there is of a texture, the maximum whether a small object is there at all, and the mean of
    the middle ninth, where it is asked for, what the field itself is among its surroundings.
    """

    def __init__(self, width: int, *, middle: bool) -> None:
        super().__init__()
        self.middle = middle
        layers: list[nn.Module] = []
        channels = [(3, width, 4, 4, 0), (width, 2 * width, 3, 2, 1), (2 * width, 4 * width, 3, 2, 1)]
        for into, out, kernel, stride, padding in channels:
            layers += [nn.Conv2d(into, out, kernel, stride, padding, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        for filters in (parameter for parameter in self.parameters() if parameter.ndim == 4):
            filters.data = filters.data.contiguous(memory_format=torch.channels_last)
        self.features = (12 if middle else 8) * width

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B, features) of (B, 3, H, W) pixels scaled to about -1 to 1."""
        maps = self.layers(pixels)
        parts = [maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))]
        if self.middle:
            side = maps.shape[-1]
            kept = slice(side // 3, side - side // 3)
            parts.append(maps[:, :, kept, kept].mean(dim=(2, 3)))
        return torch.cat(parts, dim=1)


class ScaleEncoder(nn.Module):
    """One scale of a field to one vector: a trained tower over its pixels, a linear map of its descriptor, or both.

    Args:
        width: channels of the tower's first layer; 0 for no tower.
        described: lengths of the blocks of the fixed front end's descriptors; empty for none. Each block has the same
            say, whatever its length: its standardised values are divided by the root of their number.
        embedding: dimensions D of the vector.
        dropout: share of the standardised descriptor that is left out in training.
        middle: whether the tower also looks at the middle alone.
    """

    say: Tensor

    def __init__(self, width: int, described: tuple[int, ...], embedding: int, *, dropout: float, middle: bool) -> None:
        super().__init__()
        self.tower = ScaleTower(width, middle=middle) if width else None
        self.project = nn.Linear(self.tower.features, embedding) if self.tower else None
        self.standard = nn.BatchNorm1d(sum(described), affine=False) if described else None
        self.dropout = nn.Dropout(dropout)
        self.refine = nn.Linear(sum(described), embedding) if described else None
        parts = [torch.full((length,), math.sqrt(min(described) / length)) for length in described]
        self.register_buffer("say", torch.cat(parts) if parts else torch.empty(0), persistent=False)

    def forward(self, pixels: Tensor | None, described: Tensor | None) -> Tensor:
        """Return (B, D) of (B, 3, H, W) uint8 pixels and (B, F) descriptors, each where the encoder looks at it."""
        parts = []
        if self.tower and self.project and pixels is not None:
            scaled = pixels.contiguous(memory_format=torch.channels_last).float().div(127.5).sub(1)
            parts.append(self.project(self.tower(scaled)))
        if self.standard and self.refine and described is not None:
            parts.append(self.refine(self.dropout(self.standard(described)) * self.say))
        return torch.stack(parts).sum(dim=0)


PARTS = len(SCALES) + 1
"""Of a vector: one for each scale, one for all together."""


class ImageEncoder(nn.Module):
    """Three scales of a field to one vector: a part of it for each scale by itself, and one for all together.

    Every part has the same length. How much each counts for a text, the text's vector says.

    Args:
        width: channels of the towers' first layers; 0 for no towers.
        described: lengths of the blocks of the fixed front end's descriptors; empty for none.
        embedding: dimensions D of the vector, a multiple of `PARTS`.
        crop_px: side of the crops that the towers are trained on. Of a whole tile at the low scale only the middle of
            that size is looked at: around it lie other tissues. At the other scales whole tiles are looked at.
        dropout: share of the standardised descriptors that is left out in training.
    """

    def __init__(
        self, width: int, described: tuple[int, ...], embedding: int, crop_px: int | None, dropout: float
    ) -> None:
        super().__init__()
        self.crop_px = crop_px
        self.scales = nn.ModuleList(
            ScaleEncoder(width, described, embedding, dropout=dropout, middle=scale == SCALES[0]) for scale in SCALES
        )
        self.missing = nn.Parameter(torch.zeros(len(SCALES), embedding))
        self.single = nn.ModuleList(nn.Linear(embedding, embedding // PARTS) for _ in SCALES)
        self.fuse = nn.Sequential(
            nn.LayerNorm(len(SCALES) * embedding),
            nn.Linear(len(SCALES) * embedding, 2 * embedding),
            nn.GELU(),
            nn.Linear(2 * embedding, embedding // PARTS),
        )
        self.direct = nn.Linear(len(SCALES) * embedding, embedding // PARTS)

    def forward(self, images: Images) -> Tensor:
        """Return (B, D), not yet of unit length."""
        vectors = []
        for place, scale in enumerate(self.scales):
            described = None if images.described is None else images.described[:, place]
            seen = scale(self._seen(images.pixels, place), described)
            vectors.append(torch.where(images.present[:, place, None], seen, self.missing[place]))
        joined = torch.cat(vectors, dim=1)
        parts = [single(vector) for single, vector in zip(self.single, vectors, strict=True)]
        parts.append(self.direct(joined) + self.fuse(joined))
        return torch.cat([functional.normalize(part.float(), dim=1) for part in parts], dim=1)

    def _seen(self, pixels: Tensor | None, place: int) -> Tensor | None:
        if pixels is None:
            return None
        spare = 0 if self.crop_px is None or place else max(0, pixels.shape[-1] - self.crop_px)
        kept = slice(spare // 2, pixels.shape[-1] - (spare - spare // 2))
        return pixels[:, place, :, kept, kept]
