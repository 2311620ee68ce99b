"""How much noise an image has."""

import numpy as np

Array = np.ndarray

# Distance of the pixels that the estimator compares. Interpolation by a registration correlates
# the noise of neighbours, which hides it from a filter of neighbours; linear interpolation
# correlates no pixels 2 apart.
LAG = 2
NORMAL_MEDIAN = 0.6744897501960817  # median of |x| of a standard normal variable
FEWEST = 100


def noise_sigma(images: Array, labels: Array) -> float:
    """Estimate the noise SD of images within what is labelled, in the unit of the images.

    Immerkær 1996 (Comput Vis Image Underst 64:300): the product of a second difference along rows
    and one along columns removes planes and all edges along either axis, and leaves white noise
    with 6 times its SD. Here with pixels 2 apart, and with the median of the absolute values
    instead of their mean, which a minority of edges does not move. Only pixels whose nine samples
    have one label are used, or, if those are fewer than 100, lie within any.

    The estimate is that of the images as they are: where a registration has smoothed the noise it
    is lower than the scanner's. Noise that is correlated over 2 pixels and more (images that the
    scanner interpolated) is underestimated; texture of that size adds to it.

    Parameters
    ----------
    images
        [slice, row, column].
    labels
        [slice, row, column], integers, 0 where the image is not to be looked at.

    Returns
    -------
        NaN if no pixel can be used.
    """
    pattern = _difference(_difference(images.astype(float), 1), 2)
    samples = [
        labels[:, row : row + pattern.shape[1], column : column + pattern.shape[2]]
        for row in (0, LAG, 2 * LAG)
        for column in (0, LAG, 2 * LAG)
    ]
    lowest, highest = np.minimum.reduce(samples), np.maximum.reduce(samples)
    usable = (lowest > 0) & (lowest == highest)
    if usable.sum() < FEWEST:
        usable = lowest > 0
    if not usable.any():
        return float("nan")
    return float(np.median(np.abs(pattern[usable])) / NORMAL_MEDIAN / 6)


def _difference(images: Array, axis: int) -> Array:
    length = images.shape[axis]
    if length <= 2 * LAG:
        raise ValueError(f"images of {length} pixels are too small to tell their noise")
    first, middle, last = (
        np.take(images, range(start, length - 2 * LAG + start), axis) for start in (0, LAG, 2 * LAG)
    )
    return first - 2 * middle + last
