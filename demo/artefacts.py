"""What goes wrong on real slides: folds, ink on the glass, patches out of focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.layout import CELL_UM, Layout
from demo.noise import Field, smooth_noise

# Share of light that each ink lets through in red, green and blue.
INKS = {"blue": (0.17, 0.33, 0.74), "green": (0.14, 0.55, 0.33), "black": (0.13, 0.13, 0.16)}

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class Artefacts:
    """Strength of each artefact on the coarse grid (H, W), 0 to 255; None where a slide has none of the kind."""

    fold: Plane | None
    blur: Plane | None
    pen: Plane | None
    ink: tuple[float, float, float]


def draw_artefacts(kinds: tuple[str, ...], layout: Layout, rng: np.random.Generator) -> Artefacts:
    """Return a slide's artefacts, each kept to a small share of the tissue.

    Args:
        kinds: Which artefacts the slide has.
        layout: The tissue; folds and blur lie on it, pen marks near its edge.
        rng: The source of randomness.
    """
    shape = layout.territory.shape
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    fold = blur = pen = None
    if "fold" in kinds:
        fold = _bytes(_fold(x, y, rng) * np.clip(layout.depth_um / 60, 0, 1))
    if "blur" in kinds:
        fold_free = _blob(x, y, rng.uniform(0.2, 0.8, 2) * (width, height), rng.uniform(330, 480), rng)
        blur = _bytes(np.clip(fold_free / 120, 0, 1))
    if "pen" in kinds:
        pen = _bytes(_stroke(x, y, rng))
    return Artefacts(fold, blur, pen, INKS[list(INKS)[int(rng.integers(len(INKS)))]])


def _bytes(strength: Field) -> Plane:
    return (strength * 255).clip(0, 255).astype(np.uint8)


def _fold(x: Field, y: Field, rng: np.random.Generator) -> Field:
    """Return a thin wavy band that fades out at both ends."""
    height, width = x.shape
    turn = rng.uniform(0, np.pi)
    centre = rng.uniform(0.25, 0.75, 2) * (width, height)
    along = (x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)
    across = (y - centre[1]) * np.cos(turn) - (x - centre[0]) * np.sin(turn)
    across = across + np.float32(26) * smooth_noise((height, width), 90, rng)
    half_length = rng.uniform(900, 1500) / CELL_UM
    taper = np.clip(1 - (along / half_length) ** 2, 0, 1) ** np.float32(0.5)
    half_width = rng.uniform(28, 45) / CELL_UM * taper
    return np.asarray(np.clip(half_width - np.abs(across) + 0.5, 0, 1), np.float32)


def _blob(x: Field, y: Field, centre: NDArray[np.float64], radius_um: float, rng: np.random.Generator) -> Field:
    distance = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) * np.float32(CELL_UM)
    return np.asarray(radius_um - distance + 60 * smooth_noise((x.shape[0], x.shape[1]), 40, rng), np.float32)


def _stroke(x: Field, y: Field, rng: np.random.Generator) -> Field:
    """Return a felt-pen line near one edge of the slide: streaky, denser at its borders."""
    height, width = x.shape
    near, far = (y, x) if rng.integers(2) else (x, y)
    length, depth = (width, height) if near is y else (height, width)
    position = rng.uniform(0.02, 0.06) * depth
    if rng.integers(2):
        position = depth - position
    bow = 16 * smooth_noise((height, width), 220, rng)
    half_width = rng.uniform(120, 190) / CELL_UM
    inside = half_width - np.abs(near - np.float32(position) + bow)
    start = rng.uniform(0.1, 0.45) * length
    ends = np.minimum(far - np.float32(start), np.float32(start + rng.uniform(0.25, 0.5) * length) - far)
    cover = np.clip(np.minimum(inside, ends) / 2, 0, 1)
    streaks = 0.82 + 0.07 * smooth_noise((height, width), 9, rng) - 0.004 * inside
    return np.asarray(cover * np.clip(streaks, 0, 1), np.float32)
