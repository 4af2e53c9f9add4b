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


def periodic_noise(size: int, wavelength: float, rng: np.random.Generator, *, stretch: float = 1.0) -> Field:
    """Return noise that tiles the plane without a seam: a random spectrum below a Gaussian.

    Args:
        size: Side of the square field, in pixels.
        wavelength: About the shortest wavelength kept, in pixels.
        rng: The source of randomness.
        stretch: How many times longer structures are along x than along y.

    Returns:
        A float32 array (size, size) of zero mean and unit variance.
    """
    half = size // 2 + 1
    spectrum = rng.standard_normal((size, 2 * half), dtype=np.float32).view(np.complex64)
    spectrum *= _gaussian(np.fft.fftfreq(size) * wavelength)[:, None]
    spectrum *= _gaussian(np.fft.rfftfreq(size) * wavelength * stretch)[None, :]
    spectrum[0, 0] = 0.0
    field = np.asarray(scipy.fft.irfft2(spectrum, s=(size, size)), np.float32)
    field /= field.std()
    return field


def without_slow_waves(field: Field, wavelength: float) -> Field:
    """Return a periodic square field with its long waves, but not its mean, taken out, so that its repeat is not seen.

    Args:
        field: A field that tiles the plane, (N, N).
        wavelength: About the longest wavelength kept, in pixels.
    """
    size = len(field)
    spectrum = scipy.fft.rfft2(field)
    slow = (
        _gaussian(np.fft.fftfreq(size) * wavelength)[:, None] * _gaussian(np.fft.rfftfreq(size) * wavelength)[None, :]
    )
    mean = spectrum[0, 0]
    spectrum *= 1 - slow
    spectrum[0, 0] = mean
    return np.asarray(scipy.fft.irfft2(spectrum, s=(size, size)), np.float32)


def _gaussian(cycles: NDArray[np.floating]) -> Field:
    return np.asarray(np.exp(-2.0 * cycles**2), np.float32)
