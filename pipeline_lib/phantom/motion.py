"""Rigid motion of a virtual patient between contrasts."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from pipeline_lib.phantom.grid import Grid

Array = np.ndarray

# Voxels moved at a time, so that the tensors in between stay in the cache.
AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Motion:
    """The most that a patient moves between contrasts: mm along, and degrees about, an axis."""

    translation: float
    rotation: float

    @property
    def moves(self) -> bool:
        """Whether there is any."""
        return self.translation > 0 or self.rotation > 0


def draw_motion(motion: Motion, rng: np.random.Generator) -> Array:
    """Draw a rigid motion: any direction and axis, up to the given mm and degrees; 4 x 4."""
    direction, axis = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
    angle = np.deg2rad(motion.rotation) * rng.uniform()
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = np.eye(4)
    # Rodrigues' formula.
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = motion.translation * rng.uniform() * direction
    return matrix


def moved_anatomy(fine: Tensor, grid: Grid, motion: Array, wanted: slice = slice(None)) -> Tensor:
    """Resample an image so that a point x of it lies at `motion` x afterwards.

    Linear interpolation; beyond the image there is 0.

    Parameters
    ----------
    fine
        [x, y, fine z], float32.
    grid
        Of the image.
    motion
        4 x 4, mm.
    wanted
        Which voxels along z; the others stay 0.

    Returns
    -------
        Same shape, same device.
    """
    pull = np.linalg.inv(grid.fine_affine) @ np.linalg.inv(motion) @ grid.fine_affine
    # How far a voxel's value comes from, in voxels, is a sum of one term an axis; small numbers,
    # which float32 holds well.
    steps = pull[:3, :3] - np.eye(3)
    axes = [np.arange(length) for length in fine.shape]
    axes[2] = axes[2][wanted]
    terms = [
        [_column(steps[row, axis] * axes[axis], axis, fine) for axis in range(3)]
        for row in range(3)
    ]
    for row in range(3):
        terms[row][0] += float(pull[row, 3])
    # One layer of zeros before the image, and two behind, into which places are clamped.
    source = pad(fine, (1, 2) * 3)
    strides, source = source.stride(), source.flatten()
    moved = torch.zeros_like(fine)
    slab = max(AT_ONCE // (len(axes[1]) * max(len(axes[2]), 1)), 1)
    for start in range(0, len(fine), slab):
        some = slice(start, min(start + slab, len(fine)))
        place, shares = torch.ones((), dtype=torch.int32, device=fine.device) * sum(strides), []
        for row, stride in enumerate(strides):
            way = terms[row][0][some] + terms[row][1] + terms[row][2]
            here = _column(axes[row], row, fine)
            here = here[some] if row == 0 else here
            way = torch.minimum(torch.maximum(way, -1 - here), fine.shape[row] - here)
            whole = way.floor()
            shares.append(way - whole)
            place = place + (whole + here).to(torch.int32) * stride
        moved[some, :, wanted] = _interpolated(source, place, strides, shares)
    return moved


def _column(values: Array, axis: int, like: Tensor) -> Tensor:
    """Values along one axis as a float32 tensor [x, y, z] of which the other axes have length 1."""
    shape = [1, 1, 1]
    shape[axis] = -1
    return torch.as_tensor(values, dtype=torch.float32, device=like.device).reshape(shape)


def _interpolated(
    source: Tensor, place: Tensor, strides: tuple[int, ...], shares: list[Tensor]
) -> Tensor:
    """Interpolate linearly between a place of a flattened image and the next along each axis."""
    if not strides:
        return source.index_select(0, place.flatten()).view(place.shape)
    low = _interpolated(source, place, strides[1:], shares[1:])
    return low.lerp_(_interpolated(source, place + strides[0], strides[1:], shares[1:]), shares[0])
