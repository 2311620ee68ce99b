"""The signal of many voxels in many contrasts, per unit of PD, with its derivatives."""

from collections.abc import Sequence as Series
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.signal.equations import Form, longitudinal, terms_of
from pipeline_lib.signal.sequences import Sequence


class UnitSignal(NamedTuple):
    """Signed signal per unit of PD and its derivatives, each [contrast, voxel]."""

    value: Tensor
    by_log_t1: Tensor
    by_log_t2: Tensor


class SignalModel:
    """Signed signals of a list of contrasts as functions of log T1 and log T2.

    Each equation of `pipeline_lib.signal.equations` is a sum of exponentials in T1,
    L(T1) = 1 + sum_k w_k exp(-t_k / T1), so that dL / d log T1 = sum_k w_k (t_k / T1)
    exp(-t_k / T1). Contrasts share times (Simko's five have 3 repetition times), so each
    exponential is taken once and the contrasts are matrix products of them.

    Parameters
    ----------
    sequences
        One a contrast, times in seconds.
    form
        See `pipeline_lib.signal.equations.recovery_terms`.
    gains
        What the scanner multiplied each contrast's signal with; all 1 if left out.
    dtype, device
        Of the tensors.
    """

    def __init__(
        self,
        sequences: Series[Sequence],
        form: Form = "exact",
        gains: Series[float] | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        def column(values: Series[float]) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)[:, None]

        terms = [terms_of(sequence, form) for sequence in sequences]
        times = sorted({time for each in terms for time, _ in each})
        gains = [1.0] * len(sequences) if gains is None else [float(gain) for gain in gains]
        weights = np.zeros((len(sequences), len(times)))
        for contrast, each in enumerate(terms):
            for time, weight in each:
                weights[contrast, times.index(time)] += gains[contrast] * weight
        echoes = sorted({sequence.te for sequence in sequences})
        # Times are kept negative, as exponents.
        self.recovery_times = column([-time for time in times])
        self.recovery_weights = torch.tensor(weights, dtype=dtype, device=device)
        self.slope_weights = -self.recovery_weights
        self.equilibrium = column(gains)
        self.echo_times = column([-te for te in echoes])
        self.echo_slopes = column([sequence.te for sequence in sequences])
        self.echo_of = torch.tensor(
            [echoes.index(sequence.te) for sequence in sequences], device=device
        )
        self.inversions = [sequence for sequence in sequences if sequence.has_inversion]
        self.form: Form = form

    def evaluate(self, log_t1: Tensor, log_t2: Tensor) -> UnitSignal:
        """Signals and derivatives at [voxel] values of log T1 and log T2 (T in seconds)."""
        exponent = self.recovery_times * torch.exp(-log_t1)
        decay = torch.exp(exponent)
        recovery = torch.addmm(self.equilibrium, self.recovery_weights, decay)
        slope = self.slope_weights @ decay.mul_(exponent)
        rate2 = torch.exp(-log_t2)
        echo = torch.exp(self.echo_times * rate2).index_select(0, self.echo_of)
        value = recovery.mul_(echo)
        by_log_t2 = (self.echo_slopes * rate2).mul_(value)
        return UnitSignal(value, slope.mul_(echo), by_log_t2)

    def null_points(self, shortest: float, longest: float) -> list[float]:
        """T1 (s) at which an inversion contrast has no signal, ascending, within two limits.

        Between two of them no contrast changes its sign.
        """
        grid = np.geomspace(shortest, longest, 4096)
        nulls = []
        for sequence in self.inversions:
            signs = np.sign(longitudinal(sequence, grid, self.form))
            nulls += list(np.sqrt(grid[:-1] * grid[1:])[signs[1:] != signs[:-1]])
        return sorted(nulls)
