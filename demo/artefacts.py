"""What goes wrong on real slides: folds, ink on the glass, patches out of focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.layout import CELL_PX, DRAFT_PX, DRAFT_UM, Layout
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
    step = DRAFT_PX // CELL_PX
    depth = layout.depth_um[::step, ::step]
    height, width = depth.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    fold = blur = pen = None
    if "fold" in kinds:
        fold = _bytes(_fold(x, y, rng) * np.clip(depth / 60, 0, 1))
    if "blur" in kinds:
        patch = _blob(x, y, rng.uniform(0.2, 0.8, 2) * (width, height), rng.uniform(330, 480), rng)
        blur = _bytes(np.clip(patch / 120, 0, 1))
    if "pen" in kinds:
        pen = _bytes(_stroke(x, y, rng))
    return Artefacts(fold, blur, pen, INKS[list(INKS)[int(rng.integers(len(INKS)))]])


def _bytes(strength: Field) -> Plane:
    """Return a strength drafted in [0, 1] as bytes on the coarse grid."""
    height, width = strength.shape
    size = (width * DRAFT_PX // CELL_PX, height * DRAFT_PX // CELL_PX)
    draft = Image.fromarray((strength * 255).clip(0, 255).astype(np.uint8))
    return np.asarray(draft.resize(size, Image.Resampling.BILINEAR))


def _fold(x: Field, y: Field, rng: np.random.Generator) -> Field:
    """Return a thin wavy band that fades out at both ends."""
    height, width = x.shape
    turn = rng.uniform(0, np.pi)
    centre = rng.uniform(0.25, 0.75, 2) * (width, height)
    along = (x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)
    across = (y - centre[1]) * np.cos(turn) - (x - centre[0]) * np.sin(turn)
    across = across + np.float32(13) * smooth_noise((height, width), 45, rng)
    half_length = rng.uniform(900, 1500) / DRAFT_UM
    taper = np.clip(1 - (along / half_length) ** 2, 0, 1) ** np.float32(0.5)
    half_width = rng.uniform(28, 45) / DRAFT_UM * taper
    return np.asarray(np.clip(half_width - np.abs(across) + 0.5, 0, 1), np.float32)


def _blob(x: Field, y: Field, centre: NDArray[np.float64], radius_um: float, rng: np.random.Generator) -> Field:
    distance = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) * np.float32(DRAFT_UM)
    return np.asarray(radius_um - distance + 60 * smooth_noise((x.shape[0], x.shape[1]), 20, rng), np.float32)


def _stroke(x: Field, y: Field, rng: np.random.Generator) -> Field:
    """Return a felt-pen line near one edge of the slide: streaky, denser at its borders."""
    height, width = x.shape
    near, far = (y, x) if rng.integers(2) else (x, y)
    length, depth = (width, height) if near is y else (height, width)
    position = rng.uniform(0.02, 0.06) * depth
    if rng.integers(2):
        position = depth - position
    bow = 8 * smooth_noise((height, width), 110, rng)
    half_width = rng.uniform(120, 190) / DRAFT_UM
    start = rng.uniform(0.1, 0.45) * length
    end = start + rng.uniform(0.25, 0.5) * length
    beyond = np.maximum(np.maximum(np.float32(start) - far, far - np.float32(end)), 0)
    inside = half_width - np.hypot(near - np.float32(position) + bow, beyond)
    cover = np.clip(inside + 0.5, 0, 1)
    streaks = 0.82 + 0.07 * smooth_noise((height, width), 5, rng) - 0.008 * inside
    return np.asarray(cover * np.clip(streaks, 0, 1), np.float32)
