"""Polish a linear registration on mutual information of points off the grid.

ANTs' gradient descent on Mattes' information comes within 0.1 mm along the fine axes of thick
slices, but along the coarse one it stops 1 to 2 mm short on trunks, whose slices look alike:
interpolation on the grid makes bumps there. Points between the voxels have none of them, and a
search along one direction after the other needs no gradient.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

from pipeline_lib.imaging.masks import dilated
from pipeline_lib.imaging.scans import spacing_of
from pipeline_lib.imaging.transforms import apply

Array = np.ndarray

POINTS = 60_000
BINS = 48
MARGIN = 8.0  # mm around the body: its outline tells as much as what is inside
LEVER = 60.0  # mm; a parameter of 1 turns or stretches by 1 mm at this distance
TOLERANCE = 0.02  # mm
EVALUATIONS = 800
# Share of the points that must lie within the scan: a few alone may agree by chance.
LEAST_OVERLAP = 0.3


def refined(
    reference: tuple[Array, Array, Array],
    scan: tuple[Array, Array, Array],
    starts: Sequence[Array],
    affine: bool,
    seed: int,
) -> Array:
    """Find where, near the best of some starts, two scans tell most of each other.

    Mutual information of the joint histogram of 48 x 48 bins, linearly shared between
    neighbours (Maes 1997), at 60,000 random points in and around the body; Powell's search
    (1964). The same input gives the same result to the last bit.

    Parameters
    ----------
    reference, scan
        Image [x, y, z], mask [x, y, z] and affine [4, 4] (mm RAS+).
    starts
        Each [4, 4], points of the reference to points of the scan; the search begins at the one
        with the most mutual information, so that one that went astray does no harm.
    affine
        Whether 12 parameters are searched; else 6, and the start's shape is kept.
    seed
        Of the points.

    Returns
    -------
        float64 [4, 4].
    """
    image, mask, grid = reference
    points = _points(mask, grid, seed)
    values = _sampler(image, grid)(points)
    fixed = _binned(values, values)
    moving, moving_mask, moving_grid = scan
    sample = _sampler(moving, moving_grid)
    centre = points.mean(axis=0)

    def cost(matrix: Array) -> float:
        values = sample(apply(matrix, points))
        inside = np.isfinite(values)
        if inside.mean() < LEAST_OVERLAP:
            return 0.0
        found = _binned(values[inside], moving[moving_mask])
        return -_mutual_information((fixed[0][inside], fixed[1][inside]), found)

    start = min(starts, key=cost)
    count = 12 if affine else 6
    result = optimize.minimize(
        lambda parameters: cost(start @ _change(parameters, centre)),
        np.zeros(count),
        method="Powell",
        options={
            "xtol": TOLERANCE,
            "ftol": 1e-6,
            "direc": np.eye(count),
            "maxfev": EVALUATIONS * count // 6,
        },
    )
    return start @ _change(result.x, centre)


def _points(mask: Array, grid: Array, seed: int) -> Array:
    """Draw places [n, 3] in mm, anywhere within voxels of the mask and its margin."""
    voxels = np.argwhere(dilated(mask, spacing_of(grid), MARGIN))
    rng = np.random.default_rng(seed)
    chosen = voxels[rng.integers(len(voxels), size=POINTS)]
    places = chosen + rng.uniform(-0.5, 0.5, chosen.shape)
    # Half a voxel beyond the outer ones nothing is known, and moved to the border they would be
    # on the grid again.
    within = ((places >= 0) & (places <= np.array(mask.shape) - 1)).all(axis=1)
    return apply(grid, places[within])


def _sampler(image: Array, grid: Array) -> Callable[[Array], Array]:
    """Give a function that reads an image at places in mm, linearly; NaN outside of it."""
    to_voxel = np.linalg.inv(grid)

    def sample(places: Array) -> Array:
        indices = apply(to_voxel, places).T
        return ndimage.map_coordinates(image, indices, order=1, cval=np.nan)

    return sample


def _change(parameters: Array, centre: Array) -> Array:
    """Matrix [4, 4] of 3 shifts and 3 turns, or of 3 shifts and a 3 x 3 deformation."""
    change = np.eye(4)
    if len(parameters) == 6:
        change[:3, :3] = Rotation.from_rotvec(parameters[3:] / LEVER).as_matrix()
    else:
        change[:3, :3] += parameters[3:].reshape(3, 3) / LEVER
    change[:3, 3] = centre - change[:3, :3] @ centre + parameters[:3]
    return change


def _binned(values: Array, of: Array) -> tuple[Array, Array]:
    """Lower bin of each value and its share in the next, between percentiles of an image."""
    low, high = np.percentile(of, [0.5, 99.5])
    place = np.clip((values - low) / max(high - low, 1e-12), 0, 1) * (BINS - 1)
    lower = np.minimum(place.astype(np.intp), BINS - 2)
    return lower, place - lower


def _mutual_information(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    joint = np.zeros(BINS * BINS)
    for step, share in ((0, 1 - first[1]), (1, first[1])):
        for other, weight in ((0, 1 - second[1]), (1, second[1])):
            place = (first[0] + step) * BINS + second[0] + other
            joint += np.bincount(place, share * weight, minlength=BINS * BINS)
    joint = joint.reshape(BINS, BINS) / max(joint.sum(), 1e-12)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / apart[seen])).sum())
