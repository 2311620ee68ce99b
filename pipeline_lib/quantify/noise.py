"""The noise of images, from what a fit leaves over, and what Rician noise does to information."""

from functools import cache

import numpy as np
from scipy import special

Array = np.ndarray

# PD, T1 and T2.
FITTED = 3
LARGEST_SNR = 12.0  # beyond, magnitude noise is Gaussian to 1 %


def noise_of_residuals(cost: Array, contrasts: int) -> float:
    """Noise SD (unit of the signals) that explains the median residual of some voxels.

    With Gaussian noise, cost / sigma^2 follows a chi-squared distribution of (contrasts - 3)
    degrees of freedom; its median, unlike the mean, does not notice a few misregistered voxels.

    Parameters
    ----------
    cost
        Sum over contrasts of the squared residuals, [voxel].
    contrasts
        That were fitted.

    Returns
    -------
        NaN where three contrasts leave no residual, or there is no voxel.
    """
    freedom = contrasts - FITTED
    if freedom < 1 or len(cost) == 0:
        return float("nan")
    return float(np.sqrt(np.median(cost) / special.chdtri(freedom, 0.5)))


@cache
def rician_information() -> tuple[Array, Array]:
    """Tabulate how much a magnitude tells of the signal behind it, as a share of a Gaussian value.

    The Fisher information of the signal S in a magnitude m of Rice's distribution, times sigma^2:
    the mean of (m I1(z) / I0(z) - S)^2 / sigma^2 with z = m S / sigma^2 (Karlsen et al. 1999, IEEE
    Trans Signal Process 47:1430), by quadrature.

    Returns
    -------
        S / sigma from 0 to 12, and the information there: 0 without signal, 1 in the end.
    """
    snr = np.linspace(0.0, LARGEST_SNR, 241)
    step = 0.01
    magnitude = np.arange(step / 2, LARGEST_SNR + 9, step)
    product = snr[:, None] * magnitude
    density = magnitude * np.exp(-((magnitude - snr[:, None]) ** 2) / 2) * special.i0e(product)
    score = magnitude * special.i1e(product) / special.i0e(product) - snr[:, None]
    return snr, (density * score**2).sum(axis=1) * step
