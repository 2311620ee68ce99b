"""Image metrics within a mask; data range and mask have no default, because results hang on them.

One prediction and one target give a PSNR from 21.7 to 30.5 dB by the range and mask that published
code happens to choose. Here all arrays are [slice, row, column] (or any shape, where no window is
involved), the mask is of the target side, and the range is declared by the caller.
"""

import numpy as np
from scipy import ndimage

Array = np.ndarray

# Wang et al. 2004: Gaussian window of 1.5 pixels, K1 and K2.
SIGMA = 1.5
K1, K2 = 0.01, 0.03
# Pixels on each side that the window reaches (scikit-image's truncation at 3.5 sigma).
RADIUS = int(3.5 * SIGMA + 0.5)


def mae(prediction: Array, target: Array, *, mask: Array) -> float:
    """Mean absolute error within the mask, in the unit of the images."""
    return float(np.abs(_difference(prediction, target, mask)).mean())


def bias(prediction: Array, target: Array, *, mask: Array) -> float:
    """Mean of prediction minus target within the mask: positive where it is too bright."""
    return float(_difference(prediction, target, mask).mean())


def nrmse(prediction: Array, target: Array, *, mask: Array) -> float:
    """Norm of the error over the norm of the target, both within the mask.

    Not symmetric: some published code divides by the norm of the prediction.
    """
    error = np.linalg.norm(_difference(prediction, target, mask))
    return float(error / np.linalg.norm(target[mask].astype(float)))


def psnr(prediction: Array, target: Array, *, mask: Array, data_range: float) -> float:
    """Peak signal-to-noise ratio within the mask in decibels, 10 log10(R^2 / MSE).

    Infinite for a perfect answer.

    Parameters
    ----------
    prediction, target
        Of one shape.
    mask
        Of that shape, bool.
    data_range
        The declared range R of the target's contrast, the same for all patients and models.
    """
    error = np.mean(_difference(prediction, target, mask) ** 2)
    return float(decibels(error, data_range))


def decibels(mean_squared_error: Array | float, data_range: float) -> Array:
    """Turn a mean squared error into a peak signal-to-noise ratio."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / np.asarray(mean_squared_error, dtype=float))


def ssim(prediction: Array, target: Array, *, mask: Array, data_range: float) -> float:
    """Mean over the mask of the map of structural similarity of each slice.

    Of the whole frame it would rank a noisy copy of the wrong contrast above a perfect noise-free
    answer, because most of a frame is background.
    """
    _check(prediction, target, mask)
    similarity = WindowedTarget(target, data_range).similarity(prediction)
    return float(similarity[mask].mean(dtype=float))


class WindowedTarget:
    """A target's local means and variances, taken once for all predictions of it.

    Wang et al. 2004, eq. 13, in each slice on its own, as scikit-image computes it with
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`; two of its five filters fall
    away for every prediction but the first.

    Parameters
    ----------
    target
        [slice, row, column].
    data_range
        See `psnr`.
    """

    def __init__(self, target: Array, data_range: float) -> None:
        self.target = target
        self.mean = smoothed(target)
        self.variance = smoothed(target * target) - self.mean**2
        self.c1, self.c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2

    def similarity(self, prediction: Array) -> Array:
        """Map of structural similarity, [slice, row, column]."""
        mean = smoothed(prediction)
        variance = smoothed(prediction * prediction) - mean**2
        covariance = smoothed(prediction * self.target) - mean * self.mean
        numerator = (2 * mean * self.mean + self.c1) * (2 * covariance + self.c2)
        return numerator / (
            (mean**2 + self.mean**2 + self.c1) * (variance + self.variance + self.c2)
        )


def smoothed(images: Array) -> Array:
    """Gaussian mean of 1.5 pixels in each slice of [slice, row, column]."""
    weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    weights /= weights.sum()
    rows = ndimage.correlate1d(images, weights, axis=1)
    return ndimage.correlate1d(rows, weights, axis=2)


def _difference(prediction: Array, target: Array, mask: Array) -> Array:
    _check(prediction, target, mask)
    return prediction[mask].astype(float) - target[mask].astype(float)


def _check(prediction: Array, target: Array, mask: Array) -> None:
    if not prediction.shape == target.shape == mask.shape:
        raise ValueError(f"shapes {prediction.shape}, {target.shape} and {mask.shape} differ")
    if mask.dtype != bool or not mask.any():
        raise ValueError("a mask is bool and holds at least one voxel")
