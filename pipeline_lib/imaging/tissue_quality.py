"""How even a tissue is before and after bias correction."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

# A tissue of fewer voxels says more of its border than of the field.
FEWEST = 50


class Evenness(NamedTuple):
    """Coefficients of variation (SD over mean) of one tissue in one scan."""

    tissue: str
    n: int
    cv_raw: float
    cv_corrected: float


def carried_labels(
    labels: np.ndarray,
    affine: np.ndarray,
    transform: np.ndarray,
    scan_affine: np.ndarray,
    scan_shape: tuple[int, ...],
) -> np.ndarray:
    """Bring labels of the reference to a scan's own grid, each voxel by its nearest label.

    Parameters
    ----------
    labels, affine
        [x, y, z] and [4, 4] of the reference grid.
    transform
        [4, 4], mm RAS+: points of the reference to points of the scan.
    scan_affine, scan_shape
        Grid of the scan.
    """
    pull = np.linalg.inv(affine) @ np.linalg.inv(transform) @ scan_affine
    return ndimage.affine_transform(
        labels, pull[:3, :3], pull[:3, 3], output_shape=scan_shape, order=0, mode="constant"
    )


def evenness(
    raw: np.ndarray, corrected: np.ndarray, labels: np.ndarray, names: dict[int, str]
) -> list[Evenness]:
    """Compare a scan with its correction within each tissue of 50 voxels or more.

    Parameters
    ----------
    raw, corrected, labels
        [x, y, z], on one grid.
    names
        Tissue of each label.
    """
    rows = []
    for label, tissue in names.items():
        inside = labels == label
        count = int(inside.sum())
        if count >= FEWEST:
            rows.append(Evenness(tissue, count, *(_variation(x[inside]) for x in (raw, corrected))))
    return rows


def _variation(values: np.ndarray) -> float:
    mean = float(values.mean(dtype=float))
    return float(values.std(dtype=float)) / mean if mean > 0 else float("nan")
