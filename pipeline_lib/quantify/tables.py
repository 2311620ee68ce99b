"""Tables of PD, T1 and T2 by tissue."""

from collections.abc import Mapping
from collections.abc import Sequence as Series

import numpy as np
import pandas as pd
from scipy import ndimage, stats

from pipeline_lib.quantify.bounds import PARAMETERS, cramer_rao
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

# A tissue is eroded only if this many voxels remain.
SMALLEST_ERODED = 50
COLUMNS = (
    "patient",
    "tissue",
    "parameter",
    "n",
    "mean",
    "sd",
    "median",
    "truth",
    "bound_relative",
)


def core_of_tissue(mask: Array) -> Array:
    """Voxels of a tissue whose four neighbours in the slice are of the tissue too.

    Interpolation by the registration and what is left of motion mix a tissue's outermost voxels
    with its neighbours, after any clean-up of partial volume in the labels. A tissue that would
    keep fewer than 50 voxels (the wall of an organ) is given whole.

    Parameters
    ----------
    mask
        [slice, row, column], bool.

    Returns
    -------
        The same shape.
    """
    cross = ndimage.generate_binary_structure(2, 1)[None]
    eroded = ndimage.binary_erosion(mask, cross, border_value=1)
    return eroded if eroded.sum() >= SMALLEST_ERODED else mask


def noise_of_residuals(cost: Array, contrasts: int) -> float:
    """Noise SD (unit of the signals) that explains the median residual of a tissue's voxels.

    With Gaussian noise, cost / sigma^2 follows a chi-squared distribution of (contrasts - 3)
    degrees of freedom; its median, unlike the mean, does not notice a few misregistered voxels.

    Returns
    -------
        NaN where three contrasts leave no residual, or there is no voxel.
    """
    freedom = contrasts - len(PARAMETERS)
    if freedom < 1 or len(cost) == 0:
        return float("nan")
    return float(np.sqrt(np.median(cost) / stats.chi2.median(freedom)))


def tissue_table(
    patient: str,
    values: Mapping[str, Array],
    cost: Array,
    tissues: Array,
    names: Mapping[int, str],
    sequences: Series[Sequence],
    truth: Mapping[str, Mapping[str, float]] | None = None,
    form: Form = "exact",
) -> pd.DataFrame:
    """Summarise the maps over the core of each tissue.

    Parameters
    ----------
    patient
        Identifier, copied into the table.
    values
        `PD`, `T1` and `T2`, each [slice, row, column].
    cost
        Sum of squared residuals, [slice, row, column].
    tissues
        Labels, [slice, row, column].
    names
        Name of each label.
    sequences
        Of the contrasts that were fitted.
    truth
        {tissue: {`PD`, `T1`, `T2`}} where known.
    form
        The signal equation that was fitted.

    Returns
    -------
        One row a tissue and parameter. `median` is the estimate to trust: it ignores the voxels
        that interpolation or a bound spoiled. `bound_relative` is the Cramér-Rao bound of one
        voxel at the medians, as a share of the median, for the noise that the residuals show.
        T1 and T2 in seconds, PD in the unit of `values`. A tissue without voxels has no row.
    """
    rows = []
    for label, name in names.items():
        core = core_of_tissue(tissues == label)
        if not core.any():
            continue
        inside = {parameter: values[parameter][core].astype(float) for parameter in PARAMETERS}
        medians = [float(np.median(inside[parameter])) for parameter in PARAMETERS]
        noise = noise_of_residuals(cost[core], len(sequences))
        bounds = cramer_rao(sequences, medians[0], medians[1], medians[2], noise, form)
        for parameter, median, bound in zip(
            PARAMETERS, medians, (bounds.pd, bounds.t1, bounds.t2), strict=True
        ):
            sample = inside[parameter]
            rows.append(
                {
                    "patient": patient,
                    "tissue": name,
                    "parameter": parameter,
                    "n": len(sample),
                    "mean": sample.mean(),
                    "sd": sample.std(ddof=1) if len(sample) > 1 else np.nan,
                    "median": median,
                    "truth": (truth or {}).get(name, {}).get(parameter, np.nan),
                    "bound_relative": float(bound) / median if median > 0 else np.inf,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
