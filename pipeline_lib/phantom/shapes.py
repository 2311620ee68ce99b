"""Shapes painted over one another, each voxel shared by the tissues that it cuts."""

from dataclasses import dataclass, field

import numpy as np

from pipeline_lib.phantom.grid import Grid

Array = np.ndarray

# A warp moves no tissue farther than this from where its shape puts it (mm).
FARTHEST = 24.0
# Voxels painted at a time, so that the arrays in between stay in the cache.
AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, turned about the z axis.

    Attributes
    ----------
    centre, radii
        mm along x, y and z.
    turn
        Radians from x towards y.
    square
        0 for an ellipsoid; up to 1 makes its axial sections more rectangular, like a trunk.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: float = 0.0
    square: float = 0.0

    def grown(self, by: float) -> "Ellipsoid":
        """Give it with all radii longer by `by` mm (shorter if negative)."""
        radii = tuple(max(radius + by, 0.5) for radius in self.radii)
        return Ellipsoid(self.centre, radii, self.turn, self.square)  # type: ignore[arg-type]

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance in mm, negative inside: the level's value over its slope."""
        cosine, sine = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        a, b, c = (np.float32(1 / radius) for radius in self.radii)
        dx, dy = x - np.float32(self.centre[0]), y - np.float32(self.centre[1])
        u, v = (cosine * dx + sine * dy) * a, (cosine * dy - sine * dx) * b
        w = (z - np.float32(self.centre[2])) * c
        u2, v2, w2 = u * u, v * v, w * w
        level = u2 + v2 + w2
        slope = u2 * a * a + v2 * b * b + w2 * c * c
        if self.square:
            # x^4 + y^4 instead of (x^2 + y^2)^2, in part: 2 u2 v2 taken off makes corners.
            root = np.sqrt(np.maximum((u2 + v2) ** 2 - np.float32(self.square) * u2 * v2, 0))
            level = root + w2
        return (level - 1) / (2 * np.sqrt(np.maximum(slope, np.float32(1e-8))))


@dataclass
class Painting:
    """Tissues from the top layer down: what is painted first covers what comes later.

    Attributes
    ----------
    grid
        Of the fractions.
    points
        x, y and z in mm of the undeformed anatomy that each fine voxel shows.
    fractions
        Share of each tissue in each fine voxel, [x, y, fine z], float32.
    """

    grid: Grid
    points: tuple[Array, Array, Array]
    fractions: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = np.ones(self.grid.fine_size, dtype=np.float32)

    def paint(self, tissue: str | None, shape: Ellipsoid, within: Ellipsoid | None = None) -> None:
        """Give what a shape covers, and nothing above it does, to a tissue.

        Parameters
        ----------
        tissue
            Its name; None for air.
        shape
            Covers in part the voxels that its border cuts.
        within
            A second shape that the tissue must lie in as well.
        """
        x, y, z = self._box(shape)
        thin = max(AT_ONCE // max((y.stop - y.start) * (z.stop - z.start), 1), 1)
        for start in range(x.start, x.stop, thin):
            box = (slice(start, min(start + thin, x.stop)), y, z)
            if not self.left[box].any():
                continue
            points = tuple(axis[box] for axis in self.points)
            cover = self._cover(shape.distance(*points))
            if within is not None:
                cover *= self._cover(within.distance(*points))
            self.lay(tissue, cover, box)

    def lay(self, tissue: str | None, cover: Array, box: tuple[slice, ...] = (...,)) -> None:  # type: ignore[assignment]
        """Give to a tissue the share `cover` of what is still free in a box of voxels."""
        taken = cover * self.left[box]
        self.left[box] -= taken
        if tissue is not None:
            if tissue not in self.fractions:
                self.fractions[tissue] = np.zeros(self.grid.fine_size, dtype=np.float32)
            self.fractions[tissue][box] += taken

    def _cover(self, distance: Array) -> Array:
        width = np.float32(np.mean(self.grid.spacing[:2]))
        return np.clip(0.5 - distance / width, 0, 1)

    def _box(self, shape: Ellipsoid) -> tuple[slice, slice, slice]:
        reach = max(shape.radii[:2]) if shape.turn else None
        box = []
        for axis in range(3):
            radius = reach if reach and axis < 2 else shape.radii[axis]
            low, high = np.searchsorted(
                self.grid.axes[axis],
                [
                    shape.centre[axis] - radius - FARTHEST,
                    shape.centre[axis] + radius + FARTHEST,
                ],
            )
            box.append(slice(int(low), int(high)))
        return tuple(box)  # type: ignore[return-value]
