"""The grid of a virtual scan, and smooth fields on it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray

# Parts that a slice is made of: it is averaged over its thickness like a scanner's.
PARTS_OF_A_SLICE = 3
# Anatomy above and below the scan (mm), which motion brings into it.
MARGIN = 20.0


@dataclass(frozen=True)
class Grid:
    """Voxels of a scan and, finer along z, of the anatomy that it is averaged from.

    Attributes
    ----------
    size
        Voxels along x (to the right), y (to the front) and z (upwards).
    spacing
        Millimetres along each; slices touch each other.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def margin(self) -> int:
        """Slices of anatomy above the scan, and as many below."""
        return int(np.ceil(MARGIN / self.spacing[2]))

    @property
    def fine_size(self) -> tuple[int, int, int]:
        """Voxels of the anatomy: scan and margins, each slice in `PARTS_OF_A_SLICE` parts."""
        slices = self.size[2] + 2 * self.margin
        return (self.size[0], self.size[1], slices * PARTS_OF_A_SLICE)

    @cached_property
    def axes(self) -> tuple[Array, Array, Array]:
        """Positions of the fine voxels along each axis, mm from the centre, float32."""
        steps = (self.spacing[0], self.spacing[1], self.spacing[2] / PARTS_OF_A_SLICE)
        return tuple(  # type: ignore[return-value]
            ((np.arange(n) - (n - 1) / 2) * step).astype(np.float32)
            for n, step in zip(self.fine_size, steps, strict=True)
        )

    @cached_property
    def affine(self) -> Array:
        """Voxel of the scan -> world mm, RAS, the centre at the origin; 4 x 4."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = -(np.array(self.size) - 1) / 2 * self.spacing
        return affine

    @cached_property
    def fine_affine(self) -> Array:
        """Fine voxel -> world mm; 4 x 4."""
        steps = np.array([*self.spacing[:2], self.spacing[2] / PARTS_OF_A_SLICE])
        affine = np.diag([*steps, 1.0])
        affine[:3, 3] = -(np.array(self.fine_size) - 1) / 2 * steps
        return affine

    def averaged(self, fine: Array) -> Array:
        """Average [x, y, fine z] over the parts of each slice of the scan."""
        parts = slice(self.margin * PARTS_OF_A_SLICE, -self.margin * PARTS_OF_A_SLICE)
        return fine[:, :, parts].reshape(*self.size, PARTS_OF_A_SLICE).mean(axis=-1)


def random_field(grid: Grid, knots: float, rng: np.random.Generator) -> Array:
    """Draw a smooth field: cubic B-splines with normal coefficients, SD about 1.

    Parameters
    ----------
    grid
        Where it is wanted.
    knots
        Millimetres between the knots: the length over which it varies.
    rng
        Of the coefficients.

    Returns
    -------
        [x, y, fine z], float32.
    """
    lengths = [abs(axis[-1] - axis[0]) for axis in grid.axes]
    shape = [int(np.ceil(length / knots)) + 4 for length in lengths]
    coefficients = rng.standard_normal(shape, dtype=np.float32)
    # The variance of a cubic B-spline sum of independent unit coefficients is 0.48 an axis.
    return spline_sum(coefficients / 0.48**1.5, grid, knots)


def spline_sum(coefficients: Array, grid: Grid, knots: float) -> Array:
    """Evaluate a tensor product of uniform cubic B-splines on the fine grid.

    Parameters
    ----------
    coefficients
        [knot x, knot y, knot z], the middle one at the centre of the grid.
    grid, knots
        See `random_field`.

    Returns
    -------
        [x, y, fine z], float32.
    """
    field = coefficients.astype(np.float32)
    for axis in range(3):
        weights = _spline_weights(grid.axes[axis], coefficients.shape[axis], knots)
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field)


def _spline_weights(positions: Array, count: int, knots: float) -> Array:
    places = positions / knots + (count - 1) / 2
    distance = np.abs(places[:, None] - np.arange(count)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)
