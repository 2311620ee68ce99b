"""Fits within a mask: from images to maps of the same shape."""

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Series
from dataclasses import dataclass

import numpy as np

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.quantify.derivatives import KINDS, NAMES
from pipeline_lib.quantify.fit import fit
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray


@dataclass(frozen=True)
class FittedVolumes:
    """The maps of a fit.

    Attributes
    ----------
    values
        Of each of `derivatives.NAMES` an array of the shape of the mask, 0 outside it: `PD` (unit
        of the images), `T1` and `T2` (s), their bounds, `residual`, `iterations` and `flag`.
    sigma
        Noise SD in the unit of the images that the bounds were computed with; NaN where unknown.
    """

    values: dict[str, Array]
    sigma: float


def fit_volumes(
    images: Array,
    sequences: Series[Sequence],
    inside: Array,
    form: Form = "exact",
    *,
    gains: Series[float] | None = None,
    sigma: float | None = None,
    rician: bool = False,
    device: str = "cpu",
) -> FittedVolumes:
    """Fit PD, T1 and T2 to each voxel of a mask.

    Parameters
    ----------
    images
        [contrast, *space], magnitudes of any unit, on one scale for all contrasts.
    sequences
        One a contrast.
    inside
        [*space], bool: what is fitted.
    form, gains, sigma, rician, device
        See `pipeline_lib.quantify.fit.fit`.

    Raises
    ------
    InputError
        If the mask is empty; see `fit` besides.
    """
    if not inside.any():
        raise InputError("there is no voxel to fit: the mask, or all tissues, are empty.")
    maps = fit(
        images[:, inside].T,
        sequences,
        form,
        gains=gains,
        sigma=sigma,
        rician=rician,
        device=device,
    )
    values = {}
    for name in NAMES:
        values[name] = np.zeros(inside.shape, dtype=KINDS.get(name, np.float32))
        with np.errstate(over="ignore"):  # bounds of voxels without signal become infinite
            values[name][inside] = getattr(maps, name.lower())
    return FittedVolumes(values, maps.sigma)


def gains_of(contrasts: Iterable[str], gains: Mapping[str, float]) -> list[float]:
    """Give the gain of each contrast, 1 where none is named.

    Raises
    ------
    InputError
        If a gain is of a contrast that does not exist.
    """
    contrasts = list(contrasts)
    for name in gains:
        if name not in contrasts:
            raise InputError(
                f"a gain is given for {name}, which is none of the contrasts "
                f"{', '.join(contrasts)}{did_you_mean(name, contrasts)}; correct the name or take "
                "it out."
            )
    return [float(gains.get(contrast, 1.0)) for contrast in contrasts]
