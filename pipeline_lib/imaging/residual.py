"""How far a registration is from the truth, or how far it seems to be where none is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.registration import coarsened
from pipeline_lib.imaging.scans import spacing_of
from pipeline_lib.imaging.transforms import apply, mask_points

# The estimator's own sizes, in mm.
GRID = 2.0  # edges are compared on a grid not finer than this
BLOCK = 30.0
REACH = 6.0  # the largest shift of a block that can be seen along an axis


@dataclass(frozen=True)
class Residual:
    """Displacement that is left after a registration, over the body.

    Attributes
    ----------
    mean, p95
        mm.
    kind
        `simulated motion` (against the motion that was applied) or `estimated`.
    """

    mean: float
    p95: float
    kind: str

    def to_mapping(self) -> dict[str, Any]:
        """Give the entries of registration.json."""
        return {
            "residual_mm": round(self.mean, 4),
            "residual_kind": self.kind,
            "residual_p95_mm": round(self.p95, 4),
        }


def simulated_residual(
    found: np.ndarray, mask: np.ndarray, affine: np.ndarray, true: np.ndarray
) -> Residual:
    """Compare a found transform with the motion that was simulated.

    Parameters
    ----------
    found
        [n, 3], where the registration takes the centres of the mask's voxels, mm RAS+.
    mask, affine
        bool [x, y, z] and [4, 4]: the body on the reference's grid.
    true
        [4, 4], mm RAS+, points of the reference to points of the scan.
    """
    error = np.linalg.norm(found - apply(true, mask_points(mask, affine)), axis=1)
    return _residual(error, "simulated motion")


def estimated_residual(
    reference: np.ndarray, registered: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> Residual:
    """Estimate what a registration left, from the edges of both scans alone.

    In blocks of 3 cm the shift is sought at which the normalised gradients of both scans are most
    parallel (Haber and Modersitzki 2006, Eq. 5), which does not ask which tissue is brighter and
    is not what the registration maximised. One affine displacement is fitted to the shifts of all
    blocks, robustly; its mean length over the body is the estimate. It cannot see what is no
    affine displacement, nor more than 6 mm along an axis.

    Parameters
    ----------
    reference, registered
        [x, y, z] on one grid; 0 where the registered scan has no voxels.
    mask, affine
        bool [x, y, z] and [4, 4], mm RAS+: the body.

    Raises
    ------
    InputError
        If not one block has edges in both.
    """
    body, grid = coarsened(mask & (registered != 0), affine, GRID)
    spacing = spacing_of(grid)
    fixed = _directions(coarsened(reference, affine, GRID)[0], body >= 0.5, spacing)
    moved = _directions(coarsened(registered, affine, GRID)[0], body >= 0.5, spacing)
    places, shifts, weights = _block_shifts(fixed, moved, spacing)
    if len(places) == 0:
        raise InputError(
            "it shares no edges with the reference after its registration; look at both scans, "
            "and exclude the session if they do not show the same body."
        )
    centre = places.mean(axis=0)
    fit = _robust_fit(places - centre, shifts, weights)
    points = np.argwhere(body >= 0.5) * np.array(spacing)
    error = np.linalg.norm((points - centre) @ fit[:3] + fit[3], axis=1)
    return _residual(error, "estimated")


def _directions(
    image: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Gradient [3, x, y, z], of length 1 at clear edges and near 0 in noise and outside."""
    smooth = ndimage.gaussian_filter(image, [1.5 / size for size in spacing])
    gradient = np.stack(np.gradient(smooth, *spacing))
    length = np.sqrt((gradient**2).sum(axis=0))
    inner = ndimage.binary_erosion(body)
    soft = np.median(length[inner]) if inner.any() else 1.0
    return np.where(inner, gradient / np.sqrt(length**2 + soft**2), 0).astype(np.float32)


def _block_shifts(
    fixed: np.ndarray, moved: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each block is [n, 3] (mm from the grid's corner), its shift [n, 3] and weight [n]."""
    reach = [max(1, round(REACH / size)) for size in spacing]
    shape = np.array(fixed.shape[1:])
    block = np.minimum([max(1, round(BLOCK / size)) for size in spacing], shape)
    counts = shape // block
    used = tuple(slice(0, n) for n in counts * block)
    split = [n for pair in zip(counts, block, strict=True) for n in pair]
    padded = np.pad(moved, [(0, 0), *[(r, r) for r in reach]])
    tries = [2 * r + 1 for r in reach]
    scores = np.empty([*tries, *counts])
    for shift in np.ndindex(*tries):
        view = tuple(slice(s, s + n) for s, n in zip(shift, shape, strict=True))
        parallel = (fixed * padded[(slice(None), *view)]).sum(axis=0) ** 2
        scores[shift] = parallel[used].reshape(split).sum(axis=(1, 3, 5))
    places, shifts, weights = [], [], []
    enough = 0.02 * block.prod()
    for index in np.ndindex(*counts):
        values = scores[(..., *index)]
        peak = tuple(int(at) for at in np.unravel_index(values.argmax(), values.shape))
        weight = values.max() - np.median(values)
        inside = all(0 < p < n - 1 for p, n in zip(peak, tries, strict=True))
        if inside and weight > enough:
            offset = np.array(peak) - reach + _sub_voxel(values, peak)
            places.append((np.array(index) + 0.5) * block * spacing)
            shifts.append(offset * spacing)
            weights.append(weight)
    return np.array(places), np.array(shifts), np.array(weights)


def _sub_voxel(values: np.ndarray, peak: tuple[int, ...]) -> np.ndarray:
    """Top of the parabola through a peak and its two neighbours, along each axis, in voxels."""
    tops = []
    for axis in range(3):
        line = values[tuple(slice(None) if a == axis else peak[a] for a in range(3))]
        below, top, above = line[peak[axis] - 1 : peak[axis] + 2]
        bend = below - 2 * top + above
        tops.append(0.5 * (below - above) / bend if bend < 0 else 0.0)
    return np.array(tops)


def _robust_fit(places: np.ndarray, shifts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Affine displacement [4, 3] by iteratively reweighted least squares (Cauchy's weights)."""
    design = np.column_stack([places, np.ones(len(places))])
    # A ridge on the gradient of the displacement: a hundredth (a rotation of half a degree) is
    # as likely as blocks that differ by 1 mm.
    ridge = np.diag([1e2, 1e2, 1e2, 0.0]) ** 2 * weights.mean()
    current = weights
    for _ in range(10):
        weighted = design * current[:, None]
        fit = np.linalg.solve(design.T @ weighted + ridge, weighted.T @ shifts)
        left = np.linalg.norm(shifts - design @ fit, axis=1)
        current = weights / (1 + (left / max(1.5 * float(np.median(left)), 1e-3)) ** 2)
    return fit


def true_motion(truth: Mapping[str, Any], contrast: str, reference: str) -> np.ndarray:
    """Motion [4, 4] from a reference to a contrast, from what the virtual scanner wrote.

    Parameters
    ----------
    truth
        Content of truth.json; its `motion` maps points of the anatomy to points of each scan.
    contrast, reference
        Names of contrasts.

    Raises
    ------
    InputError
        If the truth lacks one of the contrasts.
    """
    motion = truth.get("motion", {})
    absent = [name for name in (contrast, reference) if name not in motion]
    if absent:
        raise InputError(
            f"the truth has no motion for {', '.join(absent)}; simulate the patient again."
        )
    return np.array(motion[contrast]) @ np.linalg.inv(np.array(motion[reference]))


def _residual(error: np.ndarray, kind: str) -> Residual:
    return Residual(float(error.mean()), float(np.percentile(error, 95)), kind)
