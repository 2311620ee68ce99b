"""Random smooth diffeomorphisms, which make one anatomy into many."""

import numpy as np
from scipy import ndimage

from pipeline_lib.phantom.grid import Grid, spline_sum

Array = np.ndarray

KNOTS = 24.0  # mm between the knots of the velocity
SQUARINGS = 6


def random_warp(
    grid: Grid, displacement: float, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw a smooth diffeomorphism and give where it takes each fine voxel.

    1. Velocity: independent normal coefficients of cubic B-splines, 24 mm apart, smoothed.
    2. Flow: scaling and squaring (Arsigny et al. 2006) on the knots, six squarings.
    3. The displacement of the knots, as B-spline coefficients, is evaluated on the grid.

    Parameters
    ----------
    grid
        Where it is wanted.
    displacement
        Root mean square displacement along each axis in mm.
    rng
        Of the velocity.

    Returns
    -------
        x, y and z in mm of the point of the undeformed anatomy that each voxel shows, each
        [x, y, fine z], float32.
    """
    lengths = [abs(axis[-1] - axis[0]) for axis in grid.axes]
    shape = tuple(int(np.ceil(length / KNOTS)) + 5 for length in lengths)
    velocity = rng.standard_normal((3, *shape))
    velocity = np.stack([ndimage.gaussian_filter(part, 1.0, mode="nearest") for part in velocity])
    velocity *= displacement / velocity.std()
    knots = _flow(velocity / KNOTS) * KNOTS
    x, y, z = np.meshgrid(*grid.axes, indexing="ij", sparse=True)
    moved = (spline_sum(part, grid, KNOTS) for part in knots)
    return tuple(u + axis for u, axis in zip(moved, (x, y, z), strict=True))


def _flow(velocity: Array) -> Array:
    """Displacement [3, x, y, z] after unit time of a steady velocity, both in knots."""
    places = np.indices(velocity.shape[1:], dtype=float)
    displacement = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        there = places + displacement
        displacement = displacement + np.stack(
            [ndimage.map_coordinates(part, there, order=1, mode="nearest") for part in displacement]
        )
    return displacement
