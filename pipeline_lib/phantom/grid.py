"""The grid of a virtual scan, and smooth fields on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline_lib.errors import InputError

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
        Millimetres along each; along z from the middle of a slice to that of the next.
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

    def parts_of_a_slice(self, thickness: float | None = None) -> dict[int, float]:
        """Tell which fine voxels along z a slice is averaged from, and with which weights.

        Parameters
        ----------
        thickness
            Of a slice in mm, its profile a box; None where the slices touch. Thinner ones leave
            gaps, thicker ones overlap.

        Returns
        -------
            Place of a part, counted from the first that the slice has where slices touch, so that
            it may be negative -> share of the slice's thickness. They add up to 1.

        Raises
        ------
        InputError
            If the thickness isn't positive, or if there is no anatomy as far as slices reach.
        """
        if thickness is None:
            return dict.fromkeys(range(PARTS_OF_A_SLICE), 1 / PARTS_OF_A_SLICE)
        reach = thickness / self.spacing[2] * PARTS_OF_A_SLICE
        low, high = (PARTS_OF_A_SLICE - reach) / 2, (PARTS_OF_A_SLICE + reach) / 2
        if not reach > 0 or -low > self.margin * PARTS_OF_A_SLICE:
            raise InputError(
                f"slices of {thickness:g} mm can't be made of this anatomy; set slice_thickness "
                f"above 0 and below {2 * self.margin * self.spacing[2]:g} mm."
            )
        places = np.arange(np.floor(low + 1e-6), np.ceil(high - 1e-6))
        covered = np.minimum(places + 1, high) - np.maximum(places, low)
        return {
            int(place): float(share)
            for place, share in zip(places, covered / covered.sum(), strict=True)
        }

    def averaged(self, fine: Array, thickness: float | None = None) -> Array:
        """Average [x, y, fine z] over the parts of each slice, float32 [x, y, z].

        `thickness` is that of `parts_of_a_slice`.
        """
        first = self.margin * PARTS_OF_A_SLICE
        last = first + (self.size[2] - 1) * PARTS_OF_A_SLICE
        total = np.zeros((*fine.shape[:2], self.size[2]), dtype=np.float32)
        for place, share in self.parts_of_a_slice(thickness).items():
            parts = fine[:, :, first + place : last + place + 1 : PARTS_OF_A_SLICE]
            total += np.float32(share) * parts
        return total

    def parts_on_scan(self, thickness: float | None = None) -> slice:
        """Tell which fine voxels along z any slice is averaged from; see `parts_of_a_slice`."""
        places = list(self.parts_of_a_slice(thickness))
        first = self.margin * PARTS_OF_A_SLICE
        last = first + (self.size[2] - 1) * PARTS_OF_A_SLICE
        return slice(first + places[0], last + places[-1] + 1)

    def places_on_scan(
        self, where: Array, thickness: float | None = None
    ) -> Iterator[tuple[Array, Array, float]]:
        """Find the voxels of the scan that fine voxels are averaged into, a part at a time.

        Parameters
        ----------
        where
            Places in the flattened fine grid, none twice, [n].
        thickness
            See `parts_of_a_slice`.

        Yields
        ------
            Which of `where` are this part of a slice [m]; their places in the flattened scan [m],
            none twice; and the weight of the part.
        """
        column = where // self.fine_size[2]
        height = where - column * self.fine_size[2]
        column *= self.size[2]
        for place, share in self.parts_of_a_slice(thickness).items():
            steps = np.arange(self.fine_size[2]) - self.margin * PARTS_OF_A_SLICE - place
            slices, beside = np.divmod(steps, PARTS_OF_A_SLICE)
            slices[(beside != 0) | (slices >= self.size[2])] = -1
            found = slices[height]
            chosen = np.flatnonzero(found >= 0)
            yield chosen, column[chosen] + found[chosen], share


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


def spline_sum(coefficients: Array, grid: Grid, knots: float, on_scan: bool = False) -> Array:
    """Evaluate a tensor product of uniform cubic B-splines on the fine grid.

    Parameters
    ----------
    coefficients
        [knot x, knot y, knot z], the middle one at the centre of the grid.
    grid, knots
        See `random_field`.
    on_scan
        Whether on the voxels of the scan instead, averaged over slices that touch.

    Returns
    -------
        [x, y, fine z], or [x, y, z] with `on_scan`, float32.
    """
    field = coefficients.astype(np.float32)
    for axis in range(3):
        weights = _spline_weights(grid.axes[axis], coefficients.shape[axis], knots)
        if on_scan and axis == 2:
            weights = grid.averaged(weights.T[None])[0].T
        field = _weighted_sum(weights, field, axis)
    return field


def _weighted_sum(weights: Array, field: Array, axis: int) -> Array:
    """Sum a field along an axis by weights [to, from] that are zero but for a few next to another.

    No matrix product: the last digits of one differ with the number of threads.
    """
    filled = weights != 0
    width = int(filled.sum(axis=1).max())
    first = np.minimum(filled.argmax(axis=1), weights.shape[1] - width)
    to, shape = np.arange(len(weights)), [1, 1, 1]
    shape[axis] = -1
    total = np.zeros((), dtype=np.float32)
    for step in range(width):
        near = first + step
        total = total + weights[to, near].reshape(shape) * field.take(near, axis)
    return total


def _spline_weights(positions: Array, count: int, knots: float) -> Array:
    places = positions / knots + (count - 1) / 2
    distance = np.abs(places[:, None] - np.arange(count)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)
