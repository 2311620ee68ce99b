"""PD, T1 and T2 of many voxels at once, by Levenberg-Marquardt with bounds."""

from collections.abc import Sequence as Series
from dataclasses import dataclass, fields, replace

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.bounds import check_identifiable
from pipeline_lib.quantify.dictionary import T1_LIMITS, T2_LIMITS, Dictionary
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

LOWER = np.log([[T1_LIMITS[0]], [T2_LIMITS[0]]])
UPPER = np.log([[T1_LIMITS[1]], [T2_LIMITS[1]]])
ITERATIONS = 100
# A fit has converged when its next step changes T1 and T2 by less than this share.
TOLERANCE = 1e-8
LONGEST_STEP = 2.0  # in log T1 and log T2
# A cost that is nothing but rounding, for signals of length 1.
EXACT = 1e-30
# Costs nearer than this are equal, and the start with the shorter T1 is kept.
SAME = 1e-24
# Curvature that is nothing but rounding; it keeps a parameter without influence solvable.
FLAT = 1e-16
# Voxels fitted at a time: their arrays stay in the cache.
CHUNK = 4096


@dataclass(frozen=True)
class Maps:
    """Least-squares estimates, each [voxel].

    Attributes
    ----------
    pd
        Proton density in the unit of the signals, 0 or more.
    t1, t2
        Relaxation times in seconds, within `T1_LIMITS` and `T2_LIMITS`.
    cost
        Sum over contrasts of the squared residual.
    iterations
        Steps tried from the start that won.
    converged
        Whether the last step was negligible; False for a voxel without signal.
    at_bound
        Whether T1 or T2 ended on a limit, where it is no estimate.
    """

    pd: Array
    t1: Array
    t2: Array
    cost: Array
    iterations: Array
    converged: Array
    at_bound: Array


def fit(signals: Array, sequences: Series[Sequence], form: Form = "exact") -> Maps:
    """Fit PD, T1 and T2 to each voxel's magnitude signals.

    Minimises sum_c (s_c - PD |g_c(T1, T2)|)^2. PD is linear and is projected out (variable
    projection: Golub and Pereyra 1973, with Kaufman's 1975 approximation of the Jacobian, which is
    what Gauss-Newton in all three parameters does as well); log T1 and log T2 take
    Levenberg-Marquardt steps (Marquardt 1963) that are clipped to the box, with a parameter held
    while it lies on a limit and the gradient points outward. The magnitude of inversion contrasts
    is fitted as such, from one start on each side of every null point; the lowest cost wins. With
    only 3 contrasts both sides can be exact answers; then the one with the shorter T1 is given.

    Parameters
    ----------
    signals
        [voxel, contrast], any unit, on one scale for all contrasts.
    sequences
        One a contrast, in the order of `signals`.
    form
        The signal equation; see `pipeline_lib.signal.equations.longitudinal`.

    Raises
    ------
    InputError
        If the contrasts can't tell PD, T1 and T2 apart (see `check_identifiable`), or a signal is
        not finite.
    """
    check_identifiable(sequences, form)
    signals = np.ascontiguousarray(np.asarray(signals, dtype=float).T)
    if signals.ndim != 2 or len(signals) != len(sequences):
        raise ValueError(f"signals are [voxel, {len(sequences)}], not {signals.T.shape}")
    if not np.isfinite(signals).all():
        raise InputError("the signals to fit hold NaN or infinity; mask those voxels out.")
    model = SignalModel(sequences, form)
    dictionary = Dictionary(model)
    chunks = [
        _fit_chunk(signals[:, first : first + CHUNK], model, dictionary)
        for first in range(0, max(signals.shape[1], 1), CHUNK)
    ]
    return Maps(
        **{
            field.name: np.concatenate([getattr(chunk, field.name) for chunk in chunks])
            for field in fields(Maps)
        }
    )


def _fit_chunk(signals: Array, model: SignalModel, dictionary: Dictionary) -> Maps:
    # Each voxel with signals of length 1, so that no threshold depends on the images' unit.
    length = np.linalg.norm(signals, axis=0)
    best = _fit_unit(signals / np.where(length > 0, length, 1.0), model, dictionary)
    return replace(best, pd=best.pd * length, cost=best.cost * length**2)


def _fit_unit(signals: Array, model: SignalModel, dictionary: Dictionary) -> Maps:
    best: Maps | None = None
    for part in dictionary.parts:
        found = _descend(signals, model, np.stack(part.nearest(signals)))
        if best is None:
            best = found
            continue
        better = found.cost < best.cost - SAME
        best = Maps(
            **{
                field.name: np.where(better, getattr(found, field.name), getattr(best, field.name))
                for field in fields(Maps)
            }
        )
    assert best is not None  # a dictionary has one part at least
    return best


class _Point:
    """The projected problem at one point [log T1, log T2] of each voxel."""

    def __init__(self, signals: Array, model: SignalModel, place: Array) -> None:
        unit = model.evaluate(*place)
        value, slope1, slope2 = unit.value, unit.by_log_t1, unit.by_log_t2
        power = np.maximum(_dot(value, value), np.finfo(float).tiny)
        self.place = place
        self.pd = np.maximum(_dot(signals, value) / power, 0.0)
        residual = signals - self.pd * value
        self.cost = _dot(residual, residual)
        along1, along2 = _dot(value, slope1), _dot(value, slope2)
        # The residual is normal to the signal, so the projection drops out of the gradient.
        self.descent = self.pd * np.stack([_dot(slope1, residual), _dot(slope2, residual)])
        square = self.pd**2
        self.curvature = square * np.stack(
            [
                np.maximum(_dot(slope1, slope1) - along1**2 / power, 0.0),
                np.maximum(_dot(slope2, slope2) - along2**2 / power, 0.0),
            ]
        )
        self.coupling = square * (_dot(slope1, slope2) - along1 * along2 / power)

    def arrays(self) -> tuple[Array, ...]:
        """All that differs from voxel to voxel."""
        return self.place, self.pd, self.cost, self.descent, self.curvature, self.coupling

    def take(self, other: "_Point", where: Array) -> None:
        """Move the voxels `where` to the point `other`."""
        for mine, theirs in zip(self.arrays(), other.arrays(), strict=True):
            np.copyto(mine, theirs, where=where)

    def select(self, kept: Array) -> None:
        """Forget all voxels but the indices `kept`."""
        self.place, self.pd, self.cost, self.descent, self.curvature, self.coupling = (
            array[..., kept] for array in self.arrays()
        )


def _descend(signals: Array, model: SignalModel, start: Array) -> Maps:
    """Take Levenberg-Marquardt steps from `start` [2, voxel] until all voxels stand still."""
    count = signals.shape[1]
    place, pd, cost = np.array(start), np.zeros(count), np.zeros(count)
    iterations, converged = np.zeros(count, dtype=int), np.zeros(count, dtype=bool)
    here = _Point(signals, model, place.copy())
    damping = np.full(count, 1e-3)
    active = np.arange(count)
    for _ in range(ITERATIONS):
        there = _Point(signals, model, _next_place(here, damping))
        still = np.abs(there.place - here.place).max(axis=0, initial=0.0) < TOLERANCE
        still |= np.minimum(here.cost, there.cost) < EXACT
        lower = there.cost < here.cost
        here.take(there, lower)
        damping = np.where(lower, np.maximum(damping / 10, 1e-12), damping * 8)
        iterations[active] += 1
        place[:, active], pd[active], cost[active] = here.place, here.pd, here.cost
        converged[active] = still & (here.pd > 0)
        moving = np.flatnonzero(~still)
        if len(moving) == 0:
            break
        if len(moving) < len(active):
            here.select(moving)
            signals, damping, active = signals[:, moving], damping[moving], active[moving]
    at_bound = ((place <= LOWER) | (place >= UPPER)).max(axis=0)
    t1, t2 = np.exp(place)
    return Maps(pd, t1, t2, cost, iterations, converged, at_bound)


def _next_place(point: _Point, damping: Array) -> Array:
    outward = ((point.place <= LOWER) & (point.descent < 0)) | (
        (point.place >= UPPER) & (point.descent > 0)
    )
    descent = np.where(outward, 0.0, point.descent)
    coupling = np.where(outward.any(axis=0), 0.0, point.coupling)
    first, second = point.curvature * (1 + damping) + FLAT
    determinant = first * second - coupling**2
    step = np.stack(
        [
            second * descent[0] - coupling * descent[1],
            first * descent[1] - coupling * descent[0],
        ]
    ) / np.maximum(determinant, FLAT**2)
    step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
    return np.clip(point.place + step, LOWER, UPPER)


def _dot(first: Array, second: Array) -> Array:
    return np.einsum("cv,cv->v", first, second)
