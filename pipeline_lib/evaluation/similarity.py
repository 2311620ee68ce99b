"""Maps of structural similarity (Wang et al. 2004), in each slice and through neighbouring ones."""

from collections.abc import Sequence as Series
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline_lib.evaluation.windows import (
    GAUSSIAN,
    Weights,
    pieces,
    smoothed,
    smoothed_along_slices,
)

K1, K2 = 0.01, 0.03


class Moments(NamedTuple):
    """Windowed means of x, x² and xy, [slice, row, column] each, of images less a level."""

    mean: Tensor
    square: Tensor
    cross: Tensor


class WindowedTarget:
    """A target's local means and variances, taken once for all predictions of it.

    With the defaults as scikit-image computes it with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`. All moments are of the images less the target's mean: variances
    stay the same, and E[x²] − E[x]² loses no digits to an offset that both images share.

    Parameters
    ----------
    target
        [slice, row, column].
    data_range
        R of all slices, or of each, [slice].
    runs
        Runs of neighbouring slices (see `windows.neighbouring`), for `similarity_through`.
    weights
        Of the window along each axis.
    covariance_factor
        n / (n − 1) for the sample covariance of a window of n pixels.
    """

    def __init__(
        self,
        target: Tensor,
        data_range: float | Tensor,
        runs: Series[slice] = (),
        weights: Weights = GAUSSIAN,
        covariance_factor: float = 1.0,
    ) -> None:
        self.runs, self.weights = runs, weights
        self.level = float(target.mean())
        self.target = target - self.level
        ranges = torch.as_tensor(data_range, dtype=target.dtype, device=target.device)
        ranges = ranges.reshape(-1, 1).expand(len(target), 1)
        own = torch.empty_like(target), torch.empty_like(target)
        for piece in pieces(len(target), target[0].numel()):
            part = self.target[piece]
            smoothed(part, weights, out=own[0][piece])
            smoothed(part * part, weights, out=own[1][piece])
        mean, square = (each.flatten(1) for each in own)
        self.within = _Wang(mean, square, self.level, ranges, covariance_factor)
        # Of each run, and of the run alone.
        self.beyond = [
            _Wang(
                smoothed_along_slices(mean[run], weights),
                smoothed_along_slices(square[run], weights),
                self.level,
                ranges[run],
                covariance_factor,
            )
            for run in runs
        ]

    def moments(self, prediction: Tensor) -> Moments:
        """Windowed means of a prediction, and of its product with the target."""
        result = Moments(*(torch.empty_like(prediction) for _ in Moments._fields))
        for piece in pieces(len(prediction), prediction[0].numel()):
            part = prediction[piece] - self.level
            smoothed(part, self.weights, out=result.mean[piece])
            smoothed(part * self.target[piece], self.weights, out=result.cross[piece])
            smoothed(part.square_(), self.weights, out=result.square[piece])
        return result

    def similarity(self, moments: Moments) -> Tensor:
        """Map with windows of rows and columns, [slice, row, column]."""
        result = torch.empty_like(moments.mean)
        flat = [each.flatten(1) for each in moments]
        for piece in pieces(*flat[0].shape):
            where = piece, slice(None)
            result.flatten(1)[where] = self.within.similarity(where, *(x[where] for x in flat))
        return result

    def similarity_through(self, moments: Moments) -> Tensor:
        """Map with windows of slices, rows and columns, each run of `runs` for itself."""
        result = torch.empty_like(moments.mean)
        for run, target in zip(self.runs, self.beyond, strict=True):
            into, *flat = (each[run].flatten(1) for each in (result, *moments))
            for piece in pieces(into.shape[1], len(into)):
                where = slice(None), piece
                parts = (smoothed_along_slices(x[where], self.weights) for x in flat)
                into[where] = target.similarity(where, *parts)
        return result


class _Wang:
    """What Wang et al. 2004, eq. 13, needs of the target: [slice, pixel] each.

    Parameters
    ----------
    mean, square
        Windowed means of y and y², of y less `level`.
    level
        What was subtracted.
    ranges
        R of each slice, [slice, 1].
    factor
        Of variances and covariance.
    """

    def __init__(
        self, mean: Tensor, square: Tensor, level: float, ranges: Tensor, factor: float
    ) -> None:
        self.level, self.factor = level, factor
        self.c1, self.c2 = (K1 * ranges) ** 2, (K2 * ranges) ** 2
        self.mean = mean
        self.power = (mean + level).square_().add_(self.c1)
        self.spread = torch.addcmul(square, mean, mean, value=-1).mul_(factor).add_(self.c2)

    def similarity(
        self, where: tuple[slice, slice], mean: Tensor, square: Tensor, cross: Tensor
    ) -> Tensor:
        """Similarity of the slices and pixels `where` the moments of a prediction are from."""
        own, slices = self.mean[where], where[0]
        contrast = torch.addcmul(cross, mean, own, value=-1).mul_(2 * self.factor)
        contrast.add_(self.c2[slices])
        spread = torch.addcmul(square, mean, mean, value=-1).mul_(self.factor)
        spread.add_(self.spread[where])
        absolute = mean + self.level
        spread *= torch.addcmul(self.power[where], absolute, absolute)
        luminance = absolute.mul_(own + self.level).mul_(2).add_(self.c1[slices])
        return luminance.mul_(contrast).div_(spread)
