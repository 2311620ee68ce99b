"""Cramér-Rao bounds: how well a list of contrasts can tell PD, T1 and T2 at all."""

from collections.abc import Sequence as Series
from dataclasses import dataclass

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

PARAMETERS = ("PD", "T1", "T2")
# T1 and T2 in seconds that span the tissues of the body.
TISSUE_T1 = (0.3, 0.6, 1.0, 1.5, 3.0)
TISSUE_T2 = (0.03, 0.05, 0.1, 0.3, 1.0)
# A protocol is useless for a parameter if with this noise (a share of the brightest signal) the
# parameter is uncertain by more than its own value in every tissue.
NOISE = 0.01
USELESS = 1.0
ROUNDING = 1e-12


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

    Square roots of the diagonal of the inverse Fisher matrix, F = J^T J / sigma^2 (Kay 1993,
    eq. 3.31). Magnitude noise is Gaussian where the signal is 3 sigma or more (Gudbjartsson and
    Patz 1995); below that the bound is too low.

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
    unit = SignalModel(sequences, form).evaluate(np.log(t1).ravel(), np.log(t2).ravel())
    # Relative changes of the parameters, so that the matrix has no units and a fair condition.
    slopes = np.stack([unit.value, unit.by_log_t1, unit.by_log_t2]) * pd.ravel()
    fisher = np.einsum("icv,jcv->vij", slopes, slopes)
    sensitivity = np.sqrt(np.einsum("vii->vi", fisher))
    blind = sensitivity == 0
    sensitivity[blind] = 1.0
    spread = _inverse_diagonal(fisher / sensitivity[:, :, None] / sensitivity[:, None, :])
    relative = np.where(blind, np.inf, spread / sensitivity).T * sigma.ravel()
    shares = relative.reshape(3, *pd.shape)
    return Bounds(*(_times(share, x) for share, x in zip(shares, (pd, t1, t2), strict=True)))


def _times(share: Array, value: Array) -> Array:
    """Give `share` of `value`, infinite where the share is, even of 0."""
    return np.multiply(share, value, out=np.full_like(share, np.inf), where=np.isfinite(share))


def _inverse_diagonal(correlation: Array) -> Array:
    """Square roots of the diagonals of the inverses of [voxel, 3, 3] correlation matrices.

    By eigenvectors, so that a combination of parameters that the signals do not show (eigenvalue
    0 to rounding) makes those infinite that take part in it, and leaves the others.
    """
    values, vectors = np.linalg.eigh(correlation)
    shares = vectors**2
    unseen = values < ROUNDING
    finite = np.einsum(
        "vik,vk->vi", shares, np.where(unseen, 0.0, 1 / np.maximum(values, ROUNDING))
    )
    lost = (shares * unseen[:, None, :]).sum(axis=2) > ROUNDING
    return np.where(lost, np.inf, np.sqrt(finite))


def check_identifiable(sequences: Series[Sequence], form: Form = "exact") -> None:
    """Refuse contrasts from which PD, T1 and T2 can't be told apart.

    A parameter counts as lost if, with 1 % noise, its bound exceeds its own value for every
    tissue (T1 0.3 to 3 s, T2 0.03 to 1 s).

    Raises
    ------
    InputError
        If there are fewer contrasts than parameters, or a parameter is lost.
    """
    if len(sequences) < len(PARAMETERS):
        raise InputError(
            f"PD, T1 and T2 need at least 3 contrasts, but there are {len(sequences)}; "
            "add contrasts or switch fit_maps off."
        )
    t1, t2 = (grid.ravel() for grid in np.meshgrid(TISSUE_T1, TISSUE_T2))
    signals = SignalModel(sequences, form).evaluate(np.log(t1), np.log(t2)).value
    bounds = cramer_rao(sequences, 1.0, t1, t2, NOISE * signals.max(), form)
    for name, relative, remedy in (
        ("T1", bounds.t1 / t1, "tr or ti"),
        ("T2", bounds.t2 / t2, "te"),
        ("PD", bounds.pd, "te, tr or ti"),
    ):
        if relative.min() > USELESS:
            raise InputError(
                f"{name} can't be told from these {len(sequences)} contrasts, whose times are too "
                f"alike; add a contrast with another {remedy}, or switch fit_maps off."
            )
