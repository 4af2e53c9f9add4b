"""From the amounts of haematoxylin and eosin at a pixel to its colour.

Tissue is painted as two amounts (0 to 255 each); a slide's stain turns every pair into one colour, so that slides
differ in stain without being painted differently.

References:
    Ruifrok & Johnston, "Quantification of histochemical staining by color deconvolution", 2001, equation 1
    (Beer-Lambert absorption). Deviation: where haematoxylin is dense it displaces eosin, as nuclei do cytoplasm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNIT = 128.0  # the amount at which absorption equals the vectors below
# Optical densities (natural logarithm) of a well stained nucleus and of dense collagen, read off published H&E fields.
HAEMATOXYLIN = np.array([0.98, 1.16, 0.50])
EOSIN = np.array([0.09, 0.56, 0.32])
DISPLACEMENT = 0.55


@dataclass(frozen=True)
class Stain:
    """How one slide took up its dyes: strengths, hues and the colour of the empty glass."""

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    glass: tuple[float, float, float]


def draw_stain(rng: np.random.Generator) -> Stain:
    """Return a slide's stain: strengths within 10 percent, hues within 4, nearly white glass."""
    strength = rng.uniform(0.91, 1.09, 2)
    hue = rng.uniform(0.96, 1.04, (2, 3))
    glass = np.array([243.0, 242.0, 245.0]) + rng.uniform(-2.0, 2.0) + rng.uniform(-1.0, 1.0, 3)
    haematoxylin, eosin = HAEMATOXYLIN * strength[0] * hue[0], EOSIN * strength[1] * hue[1]
    return Stain(_triple(haematoxylin), _triple(eosin), _triple(glass))


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def colour_table(stain: Stain) -> NDArray[np.uint32]:
    """Return the colour of every pair of amounts.

    Returns:
        65,536 little-endian words whose bytes are red, green, blue, 255; the index is haematoxylin * 256 + eosin.
    """
    amount = np.arange(256) / UNIT
    nuclear = amount[:, None, None]
    plasma = amount[None, :, None] * (1.0 - DISPLACEMENT * np.clip(nuclear, 0.0, 1.0))
    density = nuclear * np.array(stain.haematoxylin) + plasma * np.array(stain.eosin)
    colour = np.full((256, 256, 4), 255, np.uint8)
    colour[..., :3] = np.rint(np.array(stain.glass) * np.exp(-density))
    return colour.view("<u4").reshape(-1)
