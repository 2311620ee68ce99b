"""Noise of magnitude images."""

import numpy as np


def with_rician_noise(images: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise as a magnitude image has it: |S + sigma (n1 + i n2)|, Gudbjartsson & Patz 1995.

    Parameters
    ----------
    images
        Noise-free signal, any shape, signed or not.
    sigma
        Standard deviation of the noise of each channel, in the unit of the images.
    rng
        Of the draws.

    Returns
    -------
        float32 of the same shape; where there is no signal its mean is 1.253 sigma and its
        standard deviation 0.655 sigma.
    """
    real, imaginary = sigma * rng.standard_normal((2, *images.shape), dtype=np.float32)
    return np.hypot(images + real, imaginary).astype(np.float32, copy=False)
