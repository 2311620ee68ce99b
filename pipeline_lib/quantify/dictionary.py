"""Where a fit starts: the best of a table of signals over all T1 and T2."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.quantify.projection import information

T1_LIMITS = (0.001, 10.0)
"""Shortest and longest T1 of a fit, in seconds."""
T2_LIMITS = (0.001, 5.0)
"""Shortest and longest T2 of a fit, in seconds."""
# The grid is as fine as the signals turn: this many radians from entry to entry,
TURN = 0.07
# and no coarser than if they turned by this much per log T1 and log T2.
SLOWEST = 0.14
FINE_STEPS_A_DECADE = 50
# Voxels matched at a time on a processor: their table of correlations stays in the cache.
BLOCK = 1024
# Entries whose direction turns by less than this per log T1 are no first start: a descent from the
# plain of T1 far below every repetition time, where all signals are alike, does not find its way
# out.
FLAT = 0.01


class Dictionary:
    """Directions of the signals of a logarithmic grid of T1 and T2, in parts of T1.

    PD only stretches a voxel's signals, so the nearest entry is that of the largest correlation.
    The magnitude of an inversion contrast hides its sign and has a kink where the tissue is nulled,
    which no descent crosses. The grid is therefore parted at the null points: each part knows the
    signs of its signals, and gives its own start for a descent with these signs, which is smooth.

    Parameters
    ----------
    model
        The contrasts.
    """

    def __init__(self, model: SignalModel) -> None:
        edges = [T1_LIMITS[0], *model.null_points(*T1_LIMITS), T1_LIMITS[1]]
        self.parts = [DictionaryPart(model, t1_limits) for t1_limits in pairwise(edges)]


class DictionaryPart:
    """The entries of one part: no contrast changes its sign within.

    Attributes
    ----------
    signs
        Of the contrasts, [contrast, 1].
    """

    def __init__(self, model: SignalModel, t1_limits: tuple[float, float]) -> None:
        axes = [_logarithmic(t1_limits, model), _logarithmic(T2_LIMITS, model)]
        turns = _turns(model, axes)
        even = [
            _evenly_turned(axis, turn.amax(dim=1 - along))
            for along, (axis, turn) in enumerate(zip(axes, turns, strict=True))
        ]
        places = torch.stack([x.ravel() for x in torch.meshgrid(*even, indexing="ij")])
        unit = model.evaluate(*places)
        told = information(unit)
        turn = (told.curvature[0] / told.power).sqrt()
        seen = told.power > torch.finfo(torch.float32).tiny
        self.signs = torch.sign(unit.value.sum(dim=1, keepdim=True))
        self.places = places[:, seen]
        self.directions = (unit.value[:, seen] / told.power[seen].sqrt()).float()
        steep = turn[seen] >= min(FLAT, float(turn[seen].max()))
        self.steep_places = self.places[:, steep]
        self.steep_directions = self.directions[:, steep]

    def nearest(self, signals: Tensor) -> Tensor:
        """Log T1 and log T2 of the best entry, [2, voxel], for signals [contrast, voxel].

        Parameters
        ----------
        signals
            With the signs of this part.
        """
        return _nearest(signals, self.steep_places, self.steep_directions)

    def spread(self, signals: Tensor) -> list[Tensor]:
        """Give the best entry of each quarter of the grid, short and long T1 by short and long T2.

        Parameters
        ----------
        signals
            See `nearest`.
        """
        long1, long2 = self.places > self.places.median(dim=1, keepdim=True).values
        quarters = [first & second for first in (long1, ~long1) for second in (long2, ~long2)]
        return [
            _nearest(signals, self.places[:, quarter], self.directions[:, quarter])
            for quarter in quarters
            if quarter.any()
        ]


def _nearest(signals: Tensor, places: Tensor, directions: Tensor) -> Tensor:
    voxels = signals.float().T
    block = BLOCK if signals.device.type == "cpu" else max(len(voxels), 1)
    best = [_largest(part @ directions) for part in voxels.split(block)]
    return places.index_select(1, torch.cat(best))


def _largest(correlations: Tensor) -> Tensor:
    """Index of the largest of each row. NumPy's search is ten times faster on a processor."""
    if correlations.device.type == "cpu":
        return torch.from_numpy(correlations.numpy().argmax(axis=1))
    return correlations.argmax(dim=1)


def _logarithmic(limits: tuple[float, float], model: SignalModel) -> Tensor:
    steps = int(np.ceil(np.log10(limits[1] / limits[0]) * FINE_STEPS_A_DECADE)) + 2
    return torch.from_numpy(np.log(np.geomspace(*limits, steps))).to(model.equilibrium)


def _turns(model: SignalModel, axes: list[Tensor]) -> Tensor:
    """Radians that the direction of the signals turns per log T1 and log T2, [2, T1, T2]."""
    t1, t2 = torch.meshgrid(*axes, indexing="ij")
    told = information(model.evaluate(t1.ravel(), t2.ravel()))
    return (told.curvature / told.power).sqrt().reshape(2, *t1.shape)


def _evenly_turned(axis: Tensor, turn: Tensor) -> Tensor:
    """Places on an axis between which the direction turns by `TURN` radians, or less."""
    step = torch.diff(axis) * torch.clamp((turn[1:] + turn[:-1]) / 2, min=SLOWEST)
    way = torch.cat([step.new_zeros(1), torch.cumsum(step, dim=0)])
    count = int(torch.ceil(way[-1] / TURN)) + 1
    wanted = torch.linspace(0, float(way[-1]), max(count, 3)).numpy()
    return torch.from_numpy(np.interp(wanted, way.numpy(force=True), axis.numpy(force=True))).to(
        axis
    )
