"""Levenberg-Marquardt in log T1 and log T2 for many voxels at once, within bounds."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.quantify.dictionary import T1_LIMITS, T2_LIMITS
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.quantify.projection import information

LOWER = np.log([[T1_LIMITS[0]], [T2_LIMITS[0]]])
UPPER = np.log([[T1_LIMITS[1]], [T2_LIMITS[1]]])
SMALLEST_STEP = 1e-8
SMALLEST_GAIN = 1e-10
# Steps in single precision, which are twice as fast, before those in double precision.
ROUGH_ITERATIONS = 6
ROUGH_GAIN = 1e-4
ROUGH_STEP = 1e-3
LONGEST_STEP = 2.0  # in log T1 and log T2
DAMPING = 1e-3
STRONG = 1.0
# A cost that is nothing but rounding, for signals of length 1.
EXACT = 1e-30
# Curvature that is nothing but rounding; it keeps a parameter without influence solvable.
FLAT = 1e-16
# Voxels that have arrived leave when they are this share: copying those that stay costs more than
# some idle steps.
LEAVE_TOGETHER = 0.5


@dataclass
class Descent:
    """Where the voxels are.

    Attributes
    ----------
    place
        Log T1 and log T2, [2, voxel].
    pd, cost
        Best PD there, 0 or more, and the sum of squared residuals, [voxel].
    objective
        What was minimised: the cost, or minus the logarithm of a likelihood, [voxel].
    iterations
        Steps tried, [voxel].
    converged
        Whether no step is left worth taking, [voxel].
    """

    place: Tensor
    pd: Tensor
    cost: Tensor
    objective: Tensor
    iterations: Tensor
    converged: Tensor

    def replace(self, other: "Descent", where: Tensor) -> None:
        """Take the voxels `where`, bool, from another descent."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, torch.where(where, theirs, mine))

    def put(self, voxels: Tensor, other: "Descent") -> None:
        """Take the voxels of these indices from a descent of them alone."""
        for field in fields(self):
            getattr(self, field.name)[..., voxels] = getattr(other, field.name)


class _Point:
    """The projected problem at one place of each voxel.

    `rows` [9, voxel] holds all that differs from voxel to voxel, so that voxels are moved at once:
    log T1 and log T2; PD; cost; minus half the gradient of the cost by log T1 and log T2; the
    curvatures and their coupling.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self.place, self.pd, self.cost = rows[:2], rows[2], rows[3]
        self.descent, self.curvature, self.coupling = rows[4:6], rows[6:8], rows[8]

    @classmethod
    def at(cls, place: Tensor, signals: Tensor, model: SignalModel) -> "_Point":
        """Evaluate the problem at [2, voxel] log T1 and log T2."""
        unit = model.evaluate(place[0], place[1])
        told = information(unit)
        point = cls(place.new_empty(9, place.shape[1]))
        point.place.copy_(place)
        torch.sum(signals * unit.value, dim=0, out=point.pd)
        point.pd.div_(told.power).clamp_(min=0.0)
        residual = torch.addcmul(signals, point.pd, unit.value, value=-1)
        torch.sum(residual * residual, dim=0, out=point.cost)
        # The residual is normal to the signal, so the projection drops out of the gradient.
        torch.sum(residual * unit.by_log_t1, dim=0, out=point.descent[0])
        torch.sum(residual * unit.by_log_t2, dim=0, out=point.descent[1])
        point.descent.mul_(point.pd)
        square = point.pd**2
        torch.mul(told.curvature, square, out=point.curvature)
        torch.mul(told.coupling, square, out=point.coupling)
        return point


def descend(
    signals: Tensor, rough: SignalModel, fine: SignalModel, start: Tensor, iterations: int
) -> Descent:
    """Go down from `start` until all voxels stand still, first in single precision.

    Levenberg-Marquardt steps (Marquardt 1963) in log T1 and log T2, clipped to the box, with a
    parameter held while it lies on a limit and the gradient points outward.

    Parameters
    ----------
    signals
        [contrast, voxel], each voxel's of length 1.
    rough, fine
        The same contrasts in single and in double precision.
    start
        Log T1 and log T2, [2, voxel].
    iterations
        Most steps of a voxel in double precision.
    """
    near = steps(signals.float(), rough, start.float(), ROUGH_ITERATIONS, ROUGH_STEP, ROUGH_GAIN)
    end = steps(signals, fine, near.place.double(), iterations)
    end.iterations += near.iterations
    return end


def steps(
    signals: Tensor,
    model: SignalModel,
    start: Tensor,
    iterations: int,
    smallest_step: float = SMALLEST_STEP,
    smallest_gain: float = SMALLEST_GAIN,
) -> Descent:
    """Take Levenberg-Marquardt steps in one precision; see `descend`.

    Parameters
    ----------
    signals, model, start
        See `descend`, all of one precision.
    iterations
        Most steps of a voxel.
    smallest_step, smallest_gain
        A voxel has arrived when its next step changes T1 and T2 by less than that share, or
        promises to lower the cost by less than that share of it.
    """
    box = tuple(signals.new_tensor(limit) for limit in (LOWER, UPPER))
    count = signals.shape[1]
    here = _Point.at(start.clamp(*box), signals, model)
    damping = torch.full_like(here.cost, DAMPING)
    tried = torch.zeros(count, dtype=torch.int16, device=signals.device)
    done = torch.zeros(count, dtype=torch.bool, device=signals.device)
    active = torch.arange(count, device=signals.device)
    cost = here.cost.clone()
    end = Descent(start.clone(), here.pd.clone(), cost, cost, tried.clone(), done.clone())
    for iteration in range(iterations + 1):
        place = _next_place(here, damping, box)
        step = place - here.place
        # Negative where a step that was cut no longer points downhill.
        gain = (here.descent * step).sum(dim=0).abs()
        small = (step.abs().amax(dim=0) < smallest_step) | (gain <= smallest_gain * here.cost)
        # A small step of a strongly damped descent says nothing.
        done |= (small & (damping < STRONG)) | (here.cost < EXACT)
        leaving = int(done.sum())
        if leaving >= LEAVE_TOGETHER * len(active) or iteration == iterations:
            end.put(active, Descent(here.place, here.pd, here.cost, here.cost, tried, done))
            if leaving == len(active) or iteration == iterations:
                break
            staying = (~done).nonzero()[:, 0]
            here = _Point(here.rows[:, staying])
            signals, place, active = signals[:, staying], place[:, staying], active[staying]
            damping, gain = damping[staying], gain[staying]
            tried, done = tried[staying], done[staying]
        there = _Point.at(place, signals, model)
        tried += ~done
        fulfilled = (here.cost - there.cost) / gain
        rejected = (~(there.cost < here.cost)).nonzero()[:, 0]
        there.rows[:, rejected] = here.rows[:, rejected]
        damping *= torch.where(fulfilled > 0.75, 0.1, torch.where(fulfilled > 0.25, 1.0, 8.0))
        here = there
    return end


def _next_place(point: _Point, damping: Tensor, box: tuple[Tensor, ...]) -> Tensor:
    lower, upper = box
    descent, coupling = point.descent, point.coupling
    at_lower, at_upper = point.place <= lower, point.place >= upper
    if (at_lower | at_upper).any():
        outward = (at_lower & (descent < 0)) | (at_upper & (descent > 0))
        descent = descent.masked_fill(outward, 0.0)
        coupling = coupling.masked_fill(outward.any(dim=0), 0.0)
    first, second = torch.addcmul(point.curvature, point.curvature, damping).add_(FLAT)
    determinant = (first * second).addcmul_(coupling, coupling, value=-1).clamp_(min=FLAT**2)
    step = torch.empty_like(descent)
    torch.mul(second, descent[0], out=step[0]).addcmul_(coupling, descent[1], value=-1)
    torch.mul(first, descent[1], out=step[1]).addcmul_(coupling, descent[0], value=-1)
    step.div_(determinant).clamp_(-LONGEST_STEP, LONGEST_STEP)
    return torch.clamp(step.add_(point.place), lower, upper)
