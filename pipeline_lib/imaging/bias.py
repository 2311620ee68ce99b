"""Bias fields of a session's scans by N4, one a scan or one that all scans share."""

from collections.abc import Sequence
from dataclasses import dataclass

import ants
import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.itk import ants_image
from pipeline_lib.imaging.scans import same_grid


@dataclass(frozen=True)
class BiasSettings:
    """Settings of the bias correction.

    Attributes
    ----------
    shrink
        N4 works on a grid this many times coarser along each axis.
    iterations
        At most so many a level; each level halves the distance between the spline's knots.
    tolerance
        A level ends when its field changes by less (coefficient of variation of the change).
    spline_spacing
        Distance between the knots of the first level, mm.
    field
        `shared`: one field for all scans of a session, the mean of their logarithms, which leaves
        the ratios between contrasts alone, and with them T1 and T2. `per_scan`: each its own.
    activate
        Without it the field is 1 everywhere: for scans that have no shading.
    """

    shrink: int
    iterations: Sequence[int]
    tolerance: float
    spline_spacing: float
    field: str
    activate: bool = True

    def __post_init__(self) -> None:
        if self.field not in ("shared", "per_scan"):
            raise InputError(
                f"correct_bias.field is {self.field!r}; it must be shared or per_scan."
            )


def n4_log_field(
    image: np.ndarray, affine: np.ndarray, mask: np.ndarray, settings: BiasSettings
) -> np.ndarray:
    """Logarithm of one scan's bias field by N4 (Tustison 2010, IEEE TMI 29:1310).

    N4 leaves the field's gain open and finds another one for each scan, which would destroy the
    ratios between contrasts; so the mean of the logarithm within the mask is set to 0. Outside
    the mask the spline is free, and is clipped to the values within.

    Parameters
    ----------
    image, affine, mask
        Scan [x, y, z], its affine [4, 4] (mm RAS+) and bool [x, y, z].
    settings
        All but `field` and `activate`.

    Returns
    -------
        float32 [x, y, z].

    Raises
    ------
    InputError
        If N4 ends without a finite field.
    """
    scan = ants_image(image, affine)
    field = ants.n4_bias_field_correction(
        scan,
        mask=ants_image(mask, affine),
        shrink_factor=settings.shrink,
        convergence={"iters": list(settings.iterations), "tol": settings.tolerance},
        spline_param=settings.spline_spacing,
        return_bias_field=True,
    ).numpy()
    within = field[mask]
    if within.size == 0 or not np.isfinite(within).all() or within.min() <= 0:
        raise InputError("N4 found no bias field in it; look at the scan, or exclude its session.")
    logarithm = np.log(np.clip(field, within.min(), within.max()))
    return (logarithm - logarithm[mask].mean(dtype=np.float64)).astype(np.float32)


def shared_log_fields(
    log_fields: Sequence[np.ndarray], affines: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Mean of log fields in the scanner's coordinates, on the grid of each scan.

    Where a scan's field of view ends, its field goes on with the value at the border.

    Parameters
    ----------
    log_fields, affines, masks
        [x, y, z], [4, 4] (mm RAS+) and bool [x, y, z] of each scan.

    Returns
    -------
        float32 [x, y, z] a scan. Their mean over the masks, each scan counting alike, is 0; a
        mean of 0 in each mask would be a gain a scan again, as masks differ between contrasts.
    """
    shared = []
    for target, mask in zip(affines, masks, strict=True):
        total = np.zeros(mask.shape, dtype=np.float32)
        for field, affine in zip(log_fields, affines, strict=True):
            total += resampled_field(field, affine, mask.shape, target)
        shared.append(total / len(log_fields))
    level = np.mean(
        [field[mask].mean(dtype=np.float64) for field, mask in zip(shared, masks, strict=True)]
    )
    return [(field - level).astype(np.float32) for field in shared]


def resampled_field(
    field: np.ndarray, affine: np.ndarray, shape: tuple[int, ...], target: np.ndarray
) -> np.ndarray:
    """Take a smooth field to another grid, linearly; outside goes on the value at the border.

    Parameters
    ----------
    field, affine
        [x, y, z] and its [4, 4], mm RAS+.
    shape, target
        Of the other grid.

    Returns
    -------
        float32 of `shape`.
    """
    if same_grid(field.shape, affine, shape, target):
        return field
    to_index = np.linalg.inv(affine) @ target
    return ndimage.affine_transform(
        field, to_index[:3, :3], to_index[:3, 3], output_shape=tuple(shape), order=1, mode="nearest"
    )
