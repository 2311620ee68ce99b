"""The signal of many voxels in many contrasts, per unit of PD, with its derivatives."""

from collections.abc import Sequence as Series
from dataclasses import dataclass

import numpy as np

from pipeline_lib.signal.equations import Form, longitudinal
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray


@dataclass(frozen=True)
class UnitSignal:
    """Magnitude signal per unit of PD and its derivatives, each [contrast, voxel]."""

    value: Array
    by_log_t1: Array
    by_log_t2: Array


class SignalModel:
    """Magnitude signals of a list of contrasts as functions of log T1 and log T2.

    Each equation of `pipeline_lib.signal.equations` is a sum of exponentials in T1,
    L(T1) = sum_k c_k exp(-t_k / T1), so that dL / d log T1 = sum_k c_k (t_k / T1) exp(-t_k / T1).
    Contrasts share times (Simko's five have 3 repetition times), so each exponential is taken once
    and the contrasts are matrix products of them.

    Parameters
    ----------
    sequences
        One a contrast, times in seconds.
    form
        See `pipeline_lib.signal.equations.longitudinal`.
    """

    def __init__(self, sequences: Series[Sequence], form: Form = "exact") -> None:
        terms = [_recovery_terms(sequence, form) for sequence in sequences]
        self.recovery_times = np.unique([time for each in terms for time in each])
        self.recovery_weights = np.array(
            [[each.get(time, 0.0) for time in self.recovery_times] for each in terms]
        )
        echoes = np.array([sequence.te for sequence in sequences])
        self.echo_times, self.echo_of = np.unique(echoes, return_inverse=True)
        self.inversions = [sequence for sequence in sequences if sequence.has_inversion]
        self.form: Form = form

    def evaluate(self, log_t1: Array, log_t2: Array) -> UnitSignal:
        """Signals and derivatives at [voxel] values of log T1 and log T2 (T in seconds).

        The derivative of a magnitude is the signed one times the sign; at a null, where it has
        none, it is 0.
        """
        rate1, rate2 = np.exp(-log_t1), np.exp(-log_t2)
        exponent1 = self.recovery_times[:, None] * rate1
        decay1 = np.exp(-exponent1)
        recovery = self.recovery_weights @ decay1
        recovery_slope = self.recovery_weights @ (decay1 * exponent1)
        exponent2 = self.echo_times[:, None] * rate2
        decay2 = np.exp(-exponent2)
        echo = decay2[self.echo_of]
        if self.inversions:
            recovery_slope *= np.sign(recovery)
            np.abs(recovery, out=recovery)
        value = recovery * echo
        recovery_slope *= echo
        return UnitSignal(value, recovery_slope, value * exponent2[self.echo_of])

    def null_points(self, shortest: float, longest: float) -> list[float]:
        """T1 (s) at which an inversion contrast has no signal, ascending, within two limits.

        Between two of them no contrast changes sign, so that the magnitude is smooth there.
        """
        grid = np.geomspace(shortest, longest, 4096)
        nulls = []
        for sequence in self.inversions:
            signs = np.sign(longitudinal(sequence, grid, self.form))
            nulls += list(np.sqrt(grid[:-1] * grid[1:])[signs[1:] != signs[:-1]])
        return sorted(nulls)


def _recovery_terms(sequence: Sequence, form: Form) -> dict[float, float]:
    """Give times t_k and weights c_k of `longitudinal`; see there for the equations."""
    if form == "simko" and not sequence.has_inversion:
        return {0.0: 1.0, sequence.tr: -1.0}
    refocused, last = sequence.tr - sequence.te / 2, sequence.tr - sequence.last_echo
    if sequence.kind == "SE":
        return {0.0: 1.0, refocused: -2.0, sequence.tr: 1.0}
    if sequence.kind == "FSE":
        return {0.0: 1.0, last: -1.0}
    assert sequence.ti is not None  # Sequence refuses an IR kind without it
    # A sequence is longer than what it holds, so no two of these times are the same.
    rest = {refocused: 2.0, sequence.tr: -1.0} if sequence.kind == "IR-SE" else {last: 1.0}
    return {0.0: 1.0, sequence.ti: -2.0, **rest}
