"""What stamps are made of: wavy outlines, chromatin, spots, and the planes of dye that they become.

A *grain* is an array (2, h, w) of uint8, haematoxylin then eosin, that is laid over tissue by keeping the pixel with
more haematoxylin. A *patch* has a third plane, its opacity, and replaces what is under it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from demo.noise import Field

PX_PER_UM = 2.0
SOFT_PX = 1.8  # over which an outline fades, as a scanner's optics make it

Stamp = NDArray[np.uint8]


def outline(
    radius: float, stretch: float, turn: float, irregular: float, rng: np.random.Generator, margin: int = 1
) -> tuple[Field, NDArray[np.float64]]:
    """Return the depth in pixels inside a wavy ellipse of this mean radius, in an array that just holds it."""
    wide, narrow = radius * np.sqrt(stretch), radius / np.sqrt(stretch)
    bulge = 1 + 2.2 * irregular
    half_x = int(np.hypot(wide * np.cos(turn), narrow * np.sin(turn)) * bulge + 1.5) + margin
    half_y = int(np.hypot(wide * np.sin(turn), narrow * np.cos(turn)) * bulge + 1.5) + margin
    y, x = np.mgrid[-half_y : half_y + 1, -half_x : half_x + 1].astype(np.float32)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    angle = np.arctan2(across / narrow, along / wide)
    edge = np.ones_like(x)
    for harmonic in (2, 3, 4, 5):
        edge += rng.normal(0, irregular / np.sqrt(harmonic)) * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
    depth = (edge - np.hypot(along / wide, across / narrow)) * np.sqrt(wide * narrow)
    return depth.astype(np.float32), np.array([half_y, half_x], np.float64)


def blotches(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Return clumped chromatin: white noise smoothed over about 1.5 um, of unit variance."""
    noise = rng.standard_normal(shape).astype(np.float32)
    for axis in (0, 1, 0, 1):
        noise = noise + np.roll(noise, 1, axis)
    return noise * np.float32(1 / 6)


def spot(shape: tuple[int, ...], centre: NDArray[np.float64], radius: float) -> Field:
    """Return a disc with a soft edge, 0 to 1; centre (y, x) and radius in pixels."""
    y, x = np.indices(shape) - centre[:, None, None]
    return np.asarray(np.clip(radius - np.hypot(x, y) + 0.5, 0, 1), np.float32)


def stamp_of(*planes: Field) -> Stamp:
    """Return planes of dye, and of opacity if there are three, as bytes."""
    return np.stack(planes).clip(0, 255).astype(np.uint8)


def grain(haematoxylin: Field, eosin: Field, depth: Field) -> Stamp:
    """Return a grain that ends where `depth` falls to zero."""
    cover = np.clip(depth / SOFT_PX + 0.5, 0, 1)
    return stamp_of(haematoxylin * cover, eosin * cover)


def patch(haematoxylin: Field, eosin: Field, opacity: Field) -> Stamp:
    """Return a patch; opacity is 0 to 1."""
    return stamp_of(haematoxylin, eosin, 255 * opacity)
