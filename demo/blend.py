"""The arithmetic of painting: enlarging coarse planes, mixing dyes, setting down stamps, and spoiling pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.layout import CELL_PX
from demo.scene import Plane
from demo.stamps import Stamp
from demo.textures import Texture

FOLD_SHIFT_PX = 37
FULL = 128  # weight of a layer that hides what is under it
_PHASES = np.arange(1, 2 * CELL_PX, 2, dtype=np.int16)[None, :, None]  # sixteenths of the way to the next coarse row

Canvas = NDArray[np.uint16]  # haematoxylin * 256 + eosin
Weights = NDArray[np.int16]


def padded(plane: Plane) -> Plane:
    """Return a coarse plane with its edge repeated once, so that interpolation finds neighbours everywhere."""
    return np.pad(plane, 1, mode="edge")


def coarse(left: int, top: int, width: int, height: int) -> tuple[slice, slice]:
    """Return the cells of a padded coarse plane under a window, with the neighbours that interpolation reads."""
    rows = slice(top // CELL_PX, (top + height - 1) // CELL_PX + 3)
    return rows, slice(left // CELL_PX, (left + width - 1) // CELL_PX + 3)


def enlarge(plane: Plane, left: int, top: int, width: int, height: int) -> Weights:
    """Return a window of level-0 pixels of a padded coarse plane, interpolated linearly, times sixteen.

    The window's edges are multiples of 8. Rows are enlarged here, along contiguous memory: four times as fast as by
    Pillow.
    """
    part = Image.fromarray(np.ascontiguousarray(plane[coarse(left, top, width, height)]))
    box = (1.0, 0.0, 1.0 + width / CELL_PX, float(part.height))
    rows = np.asarray(part.resize((width, part.height), Image.Resampling.BILINEAR, box=box)).astype(np.int16)
    step = rows[1:] - rows[:-1]
    rows <<= 4
    out = step[:, None, :] * _PHASES
    out += rows[:-1, None, :]
    half = CELL_PX // 2
    return out.reshape(-1, width)[half : half + height]


def lay(out: Texture, layer: Texture, plane: Plane, box: tuple[int, int, int, int]) -> None:
    """Lay `layer` where a coded level set is inside its edge; the edge fades over 8 steps, about 1.6 pixels."""
    part = plane[coarse(*box)]
    if part.min() == 255:
        out[:] = layer
    elif part.any():
        weights = enlarge(plane, *box)
        weights -= 128 * 16 - FULL // 2
        mix(out, layer, np.clip(weights, 0, FULL, out=weights))


def mix(out: Texture, layer: Texture, weights: Weights) -> None:
    """Lay `layer` over `out` with weights of 0 to 128."""
    for plane in range(len(out)):
        change = layer[plane] - out[plane]
        change *= weights
        change >>= 7
        out[plane] += change


def word(dyes: NDArray[np.integer]) -> Canvas:
    """Return both dyes of each pixel in one word, so that the larger word is the one with more haematoxylin."""
    words = dyes[0].astype(np.uint16)
    words <<= 8
    words |= dyes[1].astype(np.uint16, copy=False)
    return np.asarray(words)


def spread(words: Canvas) -> NDArray[np.uint32]:
    """Return both dyes of each pixel 16 bits apart, so that one multiplication weighs both."""
    wide = words.astype(np.uint32)
    return np.asarray(((wide & 0xFF00) << 8) | (wide & 0xFF))


def ready_patch(stamp: Stamp) -> NDArray[np.uint32]:
    """Return what a patch leaves of the tissue under it, 0 to 128, and what it adds, times 128."""
    weight = (stamp[2] >> 1).astype(np.uint32) + (stamp[2] == 255)
    return np.stack([FULL - weight, spread(word(stamp[:2])) * weight])


def put_patch(target: Canvas, patch: NDArray[np.uint32]) -> None:
    """Mix a patch made ready into the window of a canvas that it covers."""
    mixed = spread(target)
    mixed *= patch[0]
    mixed += patch[1]
    mixed >>= 7
    target[:] = ((mixed >> 8) & 0xFF00) | (mixed & 0xFF)


def double(canvas: Canvas, weights: Weights) -> None:
    """Lay the tissue over itself, shifted, where it is folded."""
    columns = np.flatnonzero(weights.any(axis=0))
    window = np.s_[:, columns[0] : columns[-1] + 1]
    beside = canvas.take(np.arange(columns[0], columns[-1] + 1) - FOLD_SHIFT_PX, axis=1, mode="wrap")
    under, over = spread(canvas[window]), spread(beside)
    over *= weights[window].astype(np.uint32)
    planes = np.stack([(under >> 16) + (over >> 24), (under & 0xFF) + ((over >> 8) & 0xFF)])
    canvas[window] = word(np.minimum(planes, 255).astype(np.uint8))


def ink(rgbx: NDArray[np.uint8], weights: Weights, shares: tuple[float, float, float]) -> None:
    """Filter the light through a layer of ink that lets these shares of red, green and blue through."""
    rows, columns = np.flatnonzero(weights.any(axis=1)), np.flatnonzero(weights.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    strength = weights[window].astype(np.float32) / 255
    for channel, through in enumerate(shares):
        light = rgbx[window][..., channel]
        light[:] = light * (1 - strength * np.float32(1 - through))
