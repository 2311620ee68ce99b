"""Tables of PD, T1 and T2 by tissue."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import ndimage

from pipeline_lib.quantify.flags import Flag

Array = np.ndarray

PARAMETERS = ("PD", "T1", "T2")
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
    "converged",
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


def tissue_table(
    patient: str,
    values: Mapping[str, Array],
    tissues: Array,
    names: Mapping[int, str],
    truth: Mapping[str, Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Summarise the maps over the core of each tissue.

    Parameters
    ----------
    patient
        Identifier, copied into the table.
    values
        `PD`, `T1` and `T2`, their Cramér-Rao bounds `PD_bound`, `T1_bound` and `T2_bound` (NaN
        where the noise is unknown) and `flag`, each [slice, row, column].
    tissues
        Labels, [slice, row, column].
    names
        Name of each label.
    truth
        {tissue: {`PD`, `T1`, `T2`}} where known.

    Returns
    -------
        One row a tissue and parameter, over its voxels that were fitted. `median` is the estimate
        to trust: it ignores the voxels that interpolation or a limit of the fit spoiled.
        `bound_relative` is the median of the voxels' bounds as a share of the median, `converged`
        the share of voxels with that flag. T1 and T2 in seconds, PD in the unit of `values`. A
        tissue without voxels has no row.
    """
    rows = []
    fitted = values["flag"] != Flag.NOT_FITTED
    for label, name in names.items():
        core = core_of_tissue(tissues == label) & fitted
        if not core.any():
            continue
        converged = float((values["flag"][core] == Flag.CONVERGED).mean())
        for parameter in PARAMETERS:
            sample = values[parameter][core].astype(float)
            median = float(np.median(sample))
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
                    "bound_relative": _relative(values[f"{parameter}_bound"][core], median),
                    "converged": converged,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _relative(bounds: Array, median: float) -> float:
    """Give the median of the bounds that are known as a share of the parameter's median."""
    known = bounds[~np.isnan(bounds)].astype(float)
    if not known.size:
        return float("nan")
    return float(np.median(known)) / median if median > 0 else float("inf")
