"""Windowed means of slices in torch, on the GPU where there is one.

A separable window over an axis of n pixels is a banded matrix [n, n] with the frame's border folded
in: products with stretches of the band are what processors and GPUs do fastest.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Series
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
Weights = tuple[float, ...]
"""Weights of a window of odd length."""

# Wang et al. 2004: Gaussian of 1.5 pixels; cut off at 3.5 sigma as scikit-image does.
SIGMA = 1.5
_BELL = np.exp(-0.5 * (np.arange(-5, 6) / SIGMA) ** 2)
GAUSSIAN: Weights = tuple((_BELL / _BELL.sum()).tolist())
UNIFORM: Weights = (1 / 7,) * 7
# Rows of a banded matrix that are multiplied at once: more have more zeros, fewer are slower each.
BAND = 32
# Pixels that are worked on at once: few enough for a processor's cache, all that a GPU gets.
CACHED = 2**18
GPU_PIXELS = 2**25


def device() -> torch.device:
    """Where metrics are computed."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def tensor(array: Array) -> Tensor:
    """Bring numbers to the device: bool and float64 stay what they are, all else gets float32."""
    writable = np.require(array, requirements=("C", "W", "E"))
    moved = torch.from_numpy(writable).to(device())
    return moved if moved.dtype in (torch.bool, torch.float64) else moved.float()


def pieces(count: int, pixels: int) -> Iterator[slice]:
    """Stretches of `count` items of so many pixels each, to work on one after the other."""
    limit = GPU_PIXELS if torch.cuda.is_available() else CACHED
    step = max(limit // max(pixels, 1), 1)
    return (slice(first, min(first + step, count)) for first in range(0, count, step))


def mirrored(size: int, reach: int) -> Array:
    """Give the indices of an axis and `reach` beyond either end, mirrored there.

    (… 1 0 | 0 1 2 …), as scipy.ndimage's `reflect`, again and again where the axis is short.
    """
    return np.pad(np.arange(size), reach, mode="symmetric")


def padded(images: Tensor, axis: int, reach: int) -> Tensor:
    """Images with `reach` mirrored pixels beyond either end of an axis."""
    places = torch.from_numpy(mirrored(images.shape[axis], reach)).to(images.device)
    return images.index_select(axis, places)


class Band(NamedTuple):
    """Some rows of a banded matrix, without the zeros that all of them have in common."""

    into: slice
    out_of: slice
    matrix: Tensor


@lru_cache(maxsize=64)
def bands(weights: Weights, size: int, dtype: torch.dtype, where: torch.device) -> tuple[Band, ...]:
    """Give the matrix whose product with an axis is its windowed mean, mirrored at the ends."""
    reach = len(weights) // 2
    places = mirrored(size, reach)
    matrix = np.zeros((size, size))
    for shift, weight in enumerate(weights):
        matrix[np.arange(size), places[shift : shift + size]] += weight
    whole = torch.from_numpy(matrix).to(where, dtype)
    result = []
    for first in range(0, size, BAND):
        into = slice(first, min(first + BAND, size))
        out_of = slice(max(into.start - reach, 0), min(into.stop + reach, size))
        result.append(Band(into, out_of, whole[into, out_of].contiguous()))
    return tuple(result)


def smoothed(images: Tensor, weights: Weights, out: Tensor | None = None) -> Tensor:
    """Windowed mean over rows and columns of [image, row, column]."""
    count, rows, columns = images.shape
    half = torch.empty_like(images)
    across, into = images.reshape(-1, columns), half.view(-1, columns)
    with full_precision():
        for band in bands(weights, columns, images.dtype, images.device):
            torch.mm(across[:, band.out_of], band.matrix.T, out=into[:, band.into])
        stripes = [
            torch.bmm(band.matrix.expand(count, -1, -1), half[:, band.out_of])
            for band in bands(weights, rows, images.dtype, images.device)
        ]
    return torch.cat(stripes, dim=1, out=out)


def smoothed_along_slices(images: Tensor, weights: Weights) -> Tensor:
    """Windowed mean over the first axis of [slice, pixel], one run of neighbouring slices.

    Its ends are mirrored as the borders of a frame are: one slice alone stays what it is.
    """
    result = torch.empty_like(images, memory_format=torch.contiguous_format)
    with full_precision():
        for band in bands(weights, len(images), images.dtype, images.device):
            torch.mm(band.matrix, images[band.out_of], out=result[band.into])
    return result


def neighbouring(sessions: Series[str], indices: Series[int]) -> list[slice]:
    """Find the runs of slices of one session with consecutive indices."""
    count = len(sessions)
    borders = [
        at
        for at in range(1, count)
        if sessions[at] != sessions[at - 1] or indices[at] != indices[at - 1] + 1
    ]
    return [slice(*ends) for ends in zip([0, *borders], [*borders, count], strict=True)]


@contextmanager
def full_precision() -> Iterator[None]:
    """Multiply float32 in float32: TF32's ten bits would lose a variance in its square."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
