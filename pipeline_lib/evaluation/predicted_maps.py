"""Tissue values of the maps that a model predicted on its way (Table 3 of Simko et al. 2021)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.quantify.tables import PARAMETERS, core_of_tissue
from pipeline_lib.slices.store import PatientSlices

COLUMNS = (
    "experiment",
    "model",
    "fold",
    "patient",
    "source",
    "tissue",
    "parameter",
    "n",
    "mean",
    "sd",
    "median",
    "truth",
)
OF_PATIENT = COLUMNS[3:]
ALL = "all"


def predicted_tissues(
    predictions: Predictions,
    slices: PatientSlices,
    truth: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    """Summarise the maps that a model predicted of one patient over the core of each tissue.

    Parameters
    ----------
    predictions
        With maps.
    slices
        The patient. Slices that were not predicted are left out.
    truth
        By tissue and parameter, where known.

    Returns
    -------
        `OF_PATIENT`, one row a source contrast, tissue and parameter; source `all` pools the
        voxels of all sources, so that its `n` is that many times as large. T1 and T2 in seconds,
        PD on the patient's scale; `truth` is NaN where unknown. A tissue without voxels has no row.

    Raises
    ------
    InputError
        If the patient was predicted from more slices than it has.
    """
    of_all = predictions.maps
    if of_all is None:
        return pd.DataFrame(columns=list(OF_PATIENT))
    entries = predictions.rows_of(slices.patient)
    rows = predictions.index["slice"].to_numpy()[entries]
    if (rows >= len(slices)).any():
        raise InputError(
            f"{predictions.folder} was not predicted from these slices of {slices.patient}, which "
            f"are {len(slices)}; predict again."
        )
    maps = of_all[entries]
    table = []
    for label, tissue in slices.tissue_names.items():
        core = core_of_tissue(np.asarray(slices.tissues) == label)[rows]
        if not core.any():
            continue
        # Axes are now source, parameter and voxel.
        inside = np.moveaxis(maps, 0, 2)[:, :, core].astype(float)
        samples = dict(zip(predictions.map_sources, inside, strict=True))
        samples[ALL] = np.concatenate(list(inside), axis=1)
        table += [
            (
                slices.patient,
                source,
                tissue,
                parameter,
                len(values),
                values.mean(),
                values.std(ddof=1) if len(values) > 1 else np.nan,
                np.median(values),
                truth.get((tissue, parameter), np.nan),
            )
            for source, sample in samples.items()
            for parameter, values in zip(PARAMETERS, sample, strict=True)
        ]
    return pd.DataFrame(table, columns=list(OF_PATIENT))
