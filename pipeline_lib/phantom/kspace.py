"""What the reading of an image does to it: a finite k-space, noise, and displacement."""

import numpy as np
from scipy import fft

from pipeline_lib.signal.noise import with_rician_noise

Array = np.ndarray

# A voxel that a steep field squeezes to less (pixels) is taken as this wide.
NARROWEST = 1e-3


def acquired(clean: Array, sigma: float, share: float, rng: np.random.Generator) -> Array:
    """Read an image through a finite k-space: with noise, and with ringing at its edges.

    Only the central share of the lines of k-space is acquired along x and y; the rest is filled
    with zeros, so that edges ring (Gibbs; the overshoot is 9 % of the step) and details blur.
    Noise is complex and white over what was acquired.

    Parameters
    ----------
    clean
        Noise-free image before the magnitude is taken, real, [x, y, z].
    sigma
        Standard deviation of the noise of each channel in the image, in its unit.
    share
        Of the lines along x, and of those along y, more than 0; with 1 it is `with_rician_noise`.
    rng
        Of the noise.

    Returns
    -------
        Magnitude, [x, y, z], float32.
    """
    if share >= 1:
        return with_rician_noise(clean, sigma, rng)
    keep = [_central_lines(n, share) for n in clean.shape[:2]]
    kept = keep[0][:, None] & keep[1][None, :]
    image = clean.astype(np.complex64)
    if sigma > 0:
        # Lines left out take their part of the noise along.
        white = np.float32(sigma / np.sqrt(kept.mean()))
        real, imaginary = rng.standard_normal((2, *clean.shape), dtype=np.float32)
        image.real += white * real
        image.imag += white * imaginary
    spectrum = fft.fft2(image, axes=(0, 1), overwrite_x=True, workers=1)
    spectrum *= kept[:, :, None]
    return np.abs(fft.ifft2(spectrum, axes=(0, 1), overwrite_x=True, workers=1))


def displaced(image: Array, shift: Array | float) -> Array:
    """Push values along x, as protons off resonance are along the readout of a spin echo.

    Each voxel is a box of even density whose two edges move; where a field is steep, boxes are
    stretched (dark) or pile up (bright), as in Jezzard & Balaban 1995 (Magn Reson Med 34:65). The
    sum along x is conserved, but for what leaves the image. Linear in the image.

    Parameters
    ----------
    image
        [x, ...], signed or not.
    shift
        Pixels towards higher x, broadcast to the image.

    Returns
    -------
        Same shape as the image, float32.
    """
    shifts = np.broadcast_to(np.asarray(shift, dtype=np.float32), image.shape)
    middle = (shifts[1:] + shifts[:-1]) / 2
    edges = np.concatenate([shifts[:1], middle, shifts[-1:]])
    edges += _along_x(np.arange(len(edges), dtype=np.float32), image.ndim)
    low = np.minimum(edges[:-1], edges[1:])
    width = np.maximum(np.abs(np.diff(edges, axis=0)), np.float32(NARROWEST))
    high = low + width
    density = image / width
    first = np.floor(low)
    size, columns = len(image), int(np.prod(image.shape[1:]))
    column = np.arange(columns).reshape(1, *image.shape[1:])
    total = np.zeros(image.size)
    for step in range(int(np.floor(high - first).max()) + 1):
        pixel = first + np.float32(step)
        covered = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
        there = (covered > 0) & (pixel >= 0) & (pixel < size)
        place = (pixel.astype(np.intp) * columns + column)[there]
        total += np.bincount(place, (density * covered)[there], minlength=image.size)
    return total.reshape(image.shape).astype(np.float32)


def _central_lines(count: int, share: float) -> Array:
    """Which of the frequencies, in the order of an FFT, lie in the central share; symmetric."""
    return np.abs(fft.fftfreq(count)) < share / 2


def _along_x(values: Array, dimensions: int) -> Array:
    return values.reshape(-1, *[1] * (dimensions - 1))
