"""Arrays with an affine as ANTs images, and back."""

from typing import Any

import ants
import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.transforms import lps_affine

LARGEST_SHEAR = 1e-3  # rounding of headers stays below; a sheared grid does not fit in ITK


def ants_image(array: np.ndarray, affine: np.ndarray) -> Any:
    """Make an ANTs image of an array.

    Parameters
    ----------
    array
        [x, y, z]; becomes float32.
    affine
        [4, 4], from indices to millimetres, RAS+.

    Raises
    ------
    InputError
        If the affine shears, which ITK's images cannot.
    """
    origin, spacing, direction = lps_affine(affine)
    left, _, right = np.linalg.svd(direction)
    orthonormal = left @ right
    shear = float(np.abs(orthonormal - direction).max())
    if shear > LARGEST_SHEAR:
        raise InputError(
            f"its axes are not at right angles (by {shear:.2g}), which ANTs cannot take; "
            "resample it to a grid without shear, or exclude its session."
        )
    return ants.from_numpy(
        np.ascontiguousarray(array, dtype=np.float32),
        origin=tuple(origin),
        spacing=tuple(spacing),
        direction=orthonormal,
    )
