"""Where a fit starts: the best of a table of signals over all T1 and T2."""

import numpy as np

from pipeline_lib.quantify.model import SignalModel

Array = np.ndarray

T1_LIMITS = (0.001, 10.0)
"""Shortest and longest T1 of a fit, in seconds."""
T2_LIMITS = (0.001, 5.0)
"""Shortest and longest T2 of a fit, in seconds."""
STEPS_A_DECADE = 12
# Voxels matched at a time: their table of correlations stays in the cache.
BLOCK = 256
# Entries whose direction turns by less than this per log T1 are no starts: a descent from the plain
# of T1 far below every repetition time, where all signals are alike, does not find its way out.
TURN = 0.01


class Dictionary:
    """Directions of the signals of a logarithmic grid of T1 and T2, in parts of T1.

    PD only stretches a voxel's signals, so the nearest entry is that of the largest correlation.
    The magnitude of an inversion contrast has a kink where the tissue is nulled, which no descent
    crosses; the grid is therefore parted at the null points, and each part gives its own start.

    Parameters
    ----------
    model
        The contrasts.
    """

    def __init__(self, model: SignalModel) -> None:
        t1 = _logarithmic(T1_LIMITS)
        t2 = _logarithmic(T2_LIMITS)
        log_t1, log_t2 = (grid.ravel() for grid in np.meshgrid(np.log(t1), np.log(t2)))
        edges = np.log(model.null_points(*T1_LIMITS))
        part_of = np.searchsorted(edges, log_t1)
        self.parts = [
            _Part(model, log_t1[part_of == part], log_t2[part_of == part])
            for part in np.unique(part_of)
        ]


class _Part:
    """The entries of one part: no contrast changes its sign within."""

    def __init__(self, model: SignalModel, log_t1: Array, log_t2: Array) -> None:
        unit = model.evaluate(log_t1, log_t2)
        length = np.maximum(np.linalg.norm(unit.value, axis=0), np.finfo(float).tiny)
        directions = unit.value / length
        along = np.einsum("ce,ce->e", directions, unit.by_log_t1)
        turn = np.linalg.norm(unit.by_log_t1 - along * directions, axis=0) / length
        kept = (length > np.finfo(float).tiny) & (turn >= min(TURN, turn.max()))
        self.log_t1, self.log_t2 = log_t1[kept], log_t2[kept]
        self.directions = directions[:, kept].astype(np.float32)

    def nearest(self, signals: Array) -> tuple[Array, Array]:
        """Log T1 and log T2 of the best entry for each voxel of `signals` [contrast, voxel]."""
        unit = np.ascontiguousarray(signals.T.astype(np.float32))
        best = np.empty(len(unit), dtype=np.intp)
        for first in range(0, len(unit), BLOCK):
            block = slice(first, first + BLOCK)
            best[block] = np.argmax(unit[block] @ self.directions, axis=1)
        return self.log_t1[best], self.log_t2[best]


def _logarithmic(limits: tuple[float, float]) -> Array:
    decades = np.log10(limits[1] / limits[0])
    return np.geomspace(*limits, round(decades * STEPS_A_DECADE) + 1)
