"""Cramér-Rao bounds: how well a list of contrasts can tell PD, T1 and T2 at all."""

from collections.abc import Sequence as Series
from dataclasses import dataclass

import numpy as np
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.quantify.noise import FITTED
from pipeline_lib.quantify.projection import bounds, information
from pipeline_lib.signal.equations import Form, signal
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

# T1 and T2 in seconds that span the tissues of the body.
TISSUE_T1 = (0.3, 0.6, 1.0, 1.5, 3.0)
TISSUE_T2 = (0.03, 0.05, 0.1, 0.3, 1.0)
# A protocol is useless for a parameter if with this noise (a share of the brightest signal) the
# parameter is uncertain by more than its own value in every tissue.
NOISE = 0.01
USELESS = 1.0


@dataclass(frozen=True)
class Bounds:
    """Smallest standard deviation of an unbiased estimate, in the unit of each parameter."""

    pd: Array
    t1: Array
    t2: Array


def cramer_rao(
    sequences: Series[Sequence],
    pd: Array | float,
    t1: Array | float,
    t2: Array | float,
    sigma: Array | float,
    form: Form = "exact",
) -> Bounds:
    """Give the Cramér-Rao bounds of PD, T1 and T2 for Gaussian noise in every contrast.

    See `pipeline_lib.quantify.projection.bounds`. Magnitude noise is Gaussian where the signal is
    3 sigma or more (Gudbjartsson and Patz 1995); below that the bound is too low.

    Parameters
    ----------
    sequences
        One a contrast, times in seconds.
    pd, t1, t2, sigma
        Proton density, relaxation times (s) and noise SD (in the unit of the signal and of PD), of
        shapes that broadcast.
    form
        The signal equation.

    Returns
    -------
        Each of the broadcast shape; infinite where the contrasts can't tell the parameter.
    """
    pd, t1, t2, sigma = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (pd, t1, t2, sigma))
    )
    log_t1, log_t2 = (torch.from_numpy(np.log(x).ravel()) for x in (t1, t2))
    told = information(SignalModel(sequences, form).evaluate(log_t1, log_t2))
    unit = bounds(told, torch.from_numpy(pd.ravel())).numpy().reshape(3, *pd.shape)
    return Bounds(sigma * unit[0], sigma * unit[1] * t1, sigma * unit[2] * t2)


def check_identifiable(sequences: Series[Sequence], form: Form = "exact") -> None:
    """Refuse contrasts from which PD, T1 and T2 can't be told apart.

    A parameter counts as lost if, with 1 % noise, its bound exceeds its own value for every
    tissue (T1 0.3 to 3 s, T2 0.03 to 1 s).

    Raises
    ------
    InputError
        If there are fewer contrasts than parameters, or a parameter is lost.
    """
    if len(sequences) < FITTED:
        raise InputError(
            f"PD, T1 and T2 need at least 3 contrasts, but there are {len(sequences)}; "
            "add contrasts or switch fit_maps off."
        )
    t1, t2 = (grid.ravel() for grid in np.meshgrid(TISSUE_T1, TISSUE_T2))
    brightest = max(signal(sequence, 1.0, t1, t2, form).max() for sequence in sequences)
    smallest = cramer_rao(sequences, 1.0, t1, t2, NOISE * brightest, form)
    for name, relative, remedy in (
        ("T1", smallest.t1 / t1, "tr or ti"),
        ("T2", smallest.t2 / t2, "te"),
        ("PD", smallest.pd, "te, tr or ti"),
    ):
        if relative.min() > USELESS:
            raise InputError(
                f"{name} can't be told from these {len(sequences)} contrasts, whose times are too "
                f"alike; add a contrast with another {remedy}, or switch fit_maps off."
            )
