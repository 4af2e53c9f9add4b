"""Smooth random fields: the waviness of outlines, fibres and stain."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
KNOT_MARGIN = 1.5  # knots outside the field that its edge is interpolated from


def smooth_noise(shape: tuple[int, int], wavelength: float, rng: np.random.Generator) -> Field:
    """Return smooth noise of unit variance at its knots, by bicubic interpolation of white noise.

    Args:
        shape: Height and width of the field.
        wavelength: Distance between knots, in pixels of the field.
        rng: The source of randomness; one call consumes a fixed amount for a shape and wavelength.

    Returns:
        A float32 array (H, W), roughly in [-2.5, 2.5].
    """
    return wavy_noise(shape, [(wavelength, 1.0)], rng)


def wavy_noise(shape: tuple[int, int], waves: list[tuple[float, float]], rng: np.random.Generator) -> Field:
    """Return a sum of smooth noises, each interpolated only up to the knots of the next, which saves most of the work.

    Args:
        shape: Height and width of the field.
        waves: Wavelengths in pixels and amplitudes, from the longest to the shortest wave.
        rng: The source of randomness.

    Returns:
        A float32 array (H, W).
    """
    height, width = shape
    knots: Field | None = None
    before = 1.0
    for wavelength, amplitude in waves:
        size = (int(height / wavelength) + 4, int(width / wavelength) + 4)
        finer = rng.standard_normal(size, dtype=np.float32) * np.float32(amplitude)
        if knots is not None:
            ratio = wavelength / before
            start = KNOT_MARGIN * (1 - ratio)
            finer += _enlarge(knots, size, (start, start, start + size[1] * ratio, start + size[0] * ratio))
        knots, before = finer, wavelength
    if knots is None:
        return np.zeros(shape, np.float32)
    end = (KNOT_MARGIN + width / before, KNOT_MARGIN + height / before)
    return _enlarge(knots, shape, (KNOT_MARGIN, KNOT_MARGIN, *end))


def _enlarge(knots: Field, shape: tuple[int, int], box: tuple[float, float, float, float]) -> Field:
    return np.asarray(Image.fromarray(knots).resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box))


def periodic_noise(
    size: int, wavelength: float, rng: np.random.Generator, *, stretch: float = 1.0, bandwidth: float = 0.0
) -> Field:
    """Return noise that tiles the plane without a seam: white noise filtered in the Fourier domain.

    Args:
        size: Side of the square field, in pixels.
        wavelength: Shortest wavelength kept (low pass), or the centre of the band when `bandwidth` > 0, in pixels.
        rng: The source of randomness.
        stretch: How many times longer structures are along x than along y.
        bandwidth: Relative width of the pass band; 0 gives a Gaussian low pass.

    Returns:
        A float32 array (size, size) of zero mean and unit variance.
    """
    spectrum = scipy.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    frequency_y = np.fft.fftfreq(size)[:, None].astype(np.float32)
    frequency_x = np.fft.rfftfreq(size)[None, :].astype(np.float32) * np.float32(stretch)
    radius = np.hypot(frequency_y, frequency_x) * np.float32(wavelength)
    centre = np.float32(1.0 if bandwidth else 0.0)
    spectrum *= np.exp(-0.5 * ((radius - centre) / np.float32(bandwidth or 0.5)) ** 2)
    spectrum[0, 0] = 0.0
    field = np.asarray(scipy.fft.irfft2(spectrum, s=(size, size)))
    return np.asarray(field / field.std(), np.float32)
