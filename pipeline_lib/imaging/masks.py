"""The body in a scan: which voxels hold tissue and which hold air."""

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from pipeline_lib.errors import InputError

SMOOTHING = 2.0  # mm, standard deviation: noise of air falls well below tissue
CLOSING = 6.0  # mm, radius: bridges sinuses, dark cortical bone and cracks at the border
OPENING = 3.0  # mm, radius: cuts ghosts and coils off the body
# Air between bone and a rim of tissue leaves gaps that only slices of one orientation close.
SMALLEST_SHARE = 0.005  # of the volume


def body_mask(image: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Find the body: the largest connected object brighter than air, with its holes filled.

    Otsu's threshold (1979) is taken on the logarithm of the smoothed image, so that bright fat and
    a bias field, factors both, shift little; then an opening, the largest component, a closing,
    and all holes filled, in the volume and in every slice of each orientation.

    Parameters
    ----------
    image
        Scan [x, y, z], magnitudes of any scale.
    spacing
        Distance of neighbouring voxels along each axis, mm.

    Returns
    -------
        bool [x, y, z].

    Raises
    ------
    InputError
        If the image is the same everywhere, or if no object in it fills half a percent.
    """
    smooth = smoothed(np.asarray(image, dtype=np.float32), spacing, SMOOTHING)
    return cleaned(smooth > air_threshold(smooth), spacing)


def air_threshold(smooth: np.ndarray) -> float:
    """Give the value that parts tissue from air: Otsu's between the logarithms of both.

    Parameters
    ----------
    smooth
        Smoothed image, of any shape.

    Raises
    ------
    InputError
        If all values are the same.
    """
    bright = float(np.percentile(smooth, 99.0))
    low = bright * 1e-2
    logarithms = np.log(np.clip(smooth, low, bright)) if bright > 0 else np.zeros(1)
    if np.ptp(logarithms) == 0:
        raise InputError("the image is the same everywhere; export the scan again, or exclude it.")
    return float(np.exp(threshold_otsu(logarithms)))


def cleaned(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Turn a rough mask of the body into one object without holes.

    Parameters
    ----------
    mask
        bool [x, y, z].
    spacing
        See `body_mask`.

    Raises
    ------
    InputError
        If the largest object fills less than half a percent of the volume.
    """
    body = largest_component(eroded(mask, spacing, OPENING))
    body = dilated(body, spacing, OPENING) & mask
    body = filled(closed(body, spacing, CLOSING))
    if body.mean() < SMALLEST_SHARE:
        raise InputError(
            f"no body was found: the largest object fills {100 * body.mean():.2f} % of the scan; "
            "look at the scan, and exclude its session if it is empty."
        )
    return body


def smoothed(
    image: np.ndarray, spacing: tuple[float, float, float], deviation: float
) -> np.ndarray:
    """Smooth with a Gaussian of a standard deviation in mm; the border is continued as it is."""
    return ndimage.gaussian_filter(
        image, [deviation / size for size in spacing], mode="nearest", truncate=3.0
    )


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Keep the largest object that is connected through faces; an empty mask stays empty."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def filled(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of the volume and of every slice along each axis."""
    mask = ndimage.binary_fill_holes(mask)
    for axis in range(mask.ndim):
        slices = np.moveaxis(mask, axis, 0)
        mask = np.moveaxis(np.stack([ndimage.binary_fill_holes(s) for s in slices]), 0, axis)
    return mask


def dilated(mask: np.ndarray, spacing: tuple[float, float, float], radius: float) -> np.ndarray:
    """Grow a mask by a distance in mm."""
    return mask | (ndimage.distance_transform_edt(~mask, sampling=spacing) <= radius)


def eroded(mask: np.ndarray, spacing: tuple[float, float, float], radius: float) -> np.ndarray:
    """Shrink a mask by a distance in mm; a body cut by the border is not shrunk from there."""
    return ndimage.distance_transform_edt(mask, sampling=spacing) > radius


def closed(mask: np.ndarray, spacing: tuple[float, float, float], radius: float) -> np.ndarray:
    """Close gaps narrower than twice a radius in mm; a body cut by the border goes on there."""
    margin = [(int(np.ceil(radius / size)) + 1,) * 2 for size in spacing]
    padded = np.pad(mask, margin, mode="edge")
    result = eroded(dilated(padded, spacing, radius), spacing, radius) | padded
    inner = tuple(slice(low, -high) for low, high in margin)
    return result[inner]
