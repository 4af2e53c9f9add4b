"""A fixed front end: what wavelets and morphology tell of a tile, computed once per tile and never trained.

A tile becomes two maps of dye, haematoxylin and eosin. Openings and closings of growing squares split each map into
bands of dense and of clear structures by size (a granulometry). Of all bands together the descriptor holds how strong
they are, how often they exceed thresholds, and how they go together in windows of several sizes. Wavelet details tell
of texture. A second block tells where the darkest spots lie (`training.surroundings`).

References:
    Huang et al., PathoHR, EMNLP 2025 (arXiv 2509.06105): wavelets and morphology refine the image branch. There they
    refine the pixels of a pretrained encoder; here they are also given to the encoder directly, since a small model
    learns from hundreds of tiles, not millions.
    Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23, 2001: colour deconvolution and its dye vectors.
    Tuzel, Porikli and Meer, Region Covariance, ECCV 2006: maps described by their covariances.
    Mallat, IEEE PAMI 11, 1989: the wavelet pyramid (through PyWavelets).
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt
import pywt
import torch
from torch import Tensor
from torch.nn import functional

from schemas.errors import InputError
from training.decode import Pixels
from training.surroundings import surroundings

HAEMATOXYLIN = (0.65, 0.70, 0.29)  # Ruifrok and Johnston 2001, table 2
EOSIN = (0.07, 0.99, 0.11)
DYE_SCALE = 160.0  # an optical density of 1.6 becomes 255
SIDES_PX = (3, 5, 7, 11, 17, 27)  # squares of the granulometry
PAIR_PX, POOLING = 2, (3, 2)  # bands are averaged over windows of 2, 6 and 12 px before their covariance is taken
EDGES = (2, 4, 7)  # widths of edges in pairs of pixels
THRESHOLDS = (6, 12, 24, 48, 96)
DYE_BINS = 16
WAVELET, LEVELS = "db2", 4
LEAST_PX = 96  # below, the largest square leaves too little of a tile

_Planes = npt.NDArray[np.uint8]


def dyes(pixels: Tensor) -> Tensor:
    """Return the amounts of haematoxylin and eosin, 0 to 255.

    Shapes:
        (N, 3, H, W) uint8 RGB to (N, 2, H, W) uint8.
    """
    first, second = (np.array(dye) / np.linalg.norm(dye) for dye in (HAEMATOXYLIN, EOSIN))
    rest = np.cross(first, second)
    unmix = np.linalg.inv(np.stack([first, second, rest / np.linalg.norm(rest)])).T[:2]
    density = -torch.log10((torch.arange(256, dtype=torch.float32) + 1) / 256)[pixels.int()]
    amounts = torch.einsum("nchw,sc->nshw", density, torch.tensor(unmix, dtype=torch.float32))
    return (amounts * DYE_SCALE).clamp(0, 255).to(torch.uint8)


def bands(maps: Tensor) -> Tensor:
    """Return maps and, by size, what openings and closings take from them: dense and clear structures.

    Shapes:
        (N, C, H, W) uint8 to (N, C (1 + 2 sizes), H - margin, W - margin) uint8; no padding is invented.
    """
    planes = maps.flatten(0, 1).numpy()
    parts, opened, closed = [planes], planes, planes
    for side in SIDES_PX:
        dense, clear = (_each(planes, operation, side) for operation in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE))
        parts += [opened - np.minimum(opened, dense), np.maximum(closed, clear) - closed]
        opened, closed = dense, clear
    margin = max(SIDES_PX) - 1
    inner = np.stack(parts, axis=1)[..., margin:-margin, margin:-margin]
    split = torch.from_numpy(inner.copy()).view(*maps.shape[:2], *inner.shape[1:])
    return split.transpose(1, 2).flatten(1, 2)


def _each(planes: _Planes, operation: int, side: int) -> _Planes:
    square = np.ones((side, side), np.uint8)
    return np.stack([cv2.morphologyEx(plane, operation, square) for plane in planes])


def describe(pixels: Pixels) -> Tensor:
    """Return the descriptor of a tile.

    Shapes:
        (H, W, 3) uint8 RGB, at least 96 x 96, to (`features()`,) float32.

    Raises:
        InputError: the tile is too small.
    """
    if min(pixels.shape[:2]) < LEAST_PX:
        raise InputError(
            f"tiles of {pixels.shape[1]} x {pixels.shape[0]} px are too small for the front end (below {LEAST_PX})",
            remedy="raise training.image_px, or set training.front_end: none",
        )
    return _describe(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].contiguous())[0]


@functools.cache
def blocks() -> tuple[int, int]:
    """Return the lengths of a descriptor's blocks: of the bands, and of what surrounds the spots."""
    maps = dyes(torch.zeros(1, 3, LEAST_PX, LEAST_PX, dtype=torch.uint8))
    return _of_bands(maps).shape[1], len(surroundings(maps[0].numpy()))


def features() -> int:
    """Return the length of a descriptor."""
    return sum(blocks())


def _describe(pixels: Tensor) -> Tensor:
    maps = dyes(pixels)
    return torch.cat([_of_bands(maps), torch.from_numpy(surroundings(maps[0].numpy()))[None]], dim=1)


def _of_bands(maps: Tensor) -> Tensor:
    split = functional.avg_pool2d(bands(maps).float(), PAIR_PX)
    whole = torch.cat(
        [split, *(_middle(edge, split) for edge in _edges(functional.avg_pool2d(maps.float(), PAIR_PX)))], 1
    )
    parts, pooled = [_covariance(whole)], whole
    for factor in POOLING:
        pooled = functional.avg_pool2d(pooled, factor)
        parts.append(_covariance(pooled))
    flat = whole.flatten(2)
    parts += [_log(flat.mean(dim=2)), _log(flat.pow(2).mean(dim=2).sqrt())]
    parts += [(flat > threshold).sum(dim=2).div(flat.shape[2]).sqrt() for threshold in THRESHOLDS]
    shares = [torch.bincount(dye.flatten().int() * DYE_BINS // 256, minlength=DYE_BINS) for dye in maps[0]]
    parts.append((torch.cat(shares)[None] / maps[0, 0].numel()).sqrt())
    parts.append(_wavelet_energies(maps))
    return torch.cat(parts, dim=1)


def _edges(maps: Tensor) -> list[Tensor]:
    """Return how steeply each dye changes, at several widths: stationary Haar details, (N, C, h, w) each."""
    sums = functional.pad(maps, (1, 0, 1, 0)).cumsum(-1).cumsum(-2)
    steep = []
    for side in EDGES:
        top, bottom = sums[..., :-side, :], sums[..., side:, :]
        box = (bottom[..., side:] - bottom[..., :-side] - top[..., side:] + top[..., :-side]) / side**2
        across, along = box[..., side:] - box[..., :-side], box[..., side:, :] - box[..., :-side, :]
        steep.append(torch.hypot(_middle(across, across[..., :-side, :]), _middle(along, along[..., :-side])))
    return steep


def _covariance(maps: Tensor) -> Tensor:
    """Return the correlations of maps, and the logarithms of their deviations."""
    rows = maps.flatten(2)
    rows = rows - rows.mean(dim=2, keepdim=True)
    covariance = rows @ rows.transpose(1, 2) / rows.shape[2]
    deviation = torch.diagonal(covariance, dim1=1, dim2=2).clamp(min=1e-3).sqrt()
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :] + 0.05)
    first, second = torch.triu_indices(maps.shape[1], maps.shape[1], 1)
    return torch.cat([correlation[:, first, second], _log(deviation)], dim=1)


def _wavelet_energies(maps: Tensor) -> Tensor:
    """Return logarithms of mean and root mean square of straight and slanted details, per dye and level."""
    values = []
    _, *levels = pywt.wavedec2(maps[0].numpy().astype(np.float32), WAVELET, mode="reflect", level=LEVELS)
    for across, along, slanted in levels:
        for details in (np.hypot(across, along), np.abs(slanted)):
            values += [details.mean(axis=(1, 2)), np.sqrt((details**2).mean(axis=(1, 2)))]
    return _log(torch.from_numpy(np.stack(values)).T.reshape(1, -1))


def _log(amount: Tensor) -> Tensor:
    return (amount + 0.1).log()


def _middle(maps: Tensor, like: Tensor) -> Tensor:
    height, width = like.shape[-2:]
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]
