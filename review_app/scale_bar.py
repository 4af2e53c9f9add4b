"""Bars of a round length beside the images."""

from __future__ import annotations

import math

_MOST = 0.4  # of the image's width
_NOMINAL = 10.0  # micrometres per pixel of a 1x objective: 0.25 is called 40x


def bar_um(width_um: float) -> float:
    """Return the longest of 1, 2 or 5 times a power of ten micrometres that takes at most 0.4 of the width."""
    most = width_um * _MOST
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * 1.000001)


def in_words(length_um: float) -> str:
    """Return a length for people: micrometres below a millimetre, millimetres from there."""
    return f"{length_um:,.4g} µm" if length_um < 1000 else f"{length_um / 1000:,.4g} mm"


def magnification(mpp: float) -> str:
    """Return the nominal magnification that people know a scale by; never used for geometry."""
    return f"{_NOMINAL / mpp:.3g}×"
