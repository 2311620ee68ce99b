"""Tissue values in the maps that models predict, beside the truth and least squares."""

import pandas as pd

from pipeline_lib.report.numbers import mean_and_sd
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.run_tables import PARAMETER_UNITS, signed_percent
from pipeline_lib.report.tables import Cell, Table, leaked_caption, numeric


def maps_table(experiment: Experiment, maps: pd.DataFrame, tissues: pd.DataFrame) -> Table | None:
    """Tissues and parameters by systems: the median within the tissue, over patients.

    Parameters
    ----------
    maps
        As from `collect.Evaluated`; of each patient those of all sources pooled are shown.
    tissues
        Least-squares values, as from `collect.Evaluated`.
    """
    rows = maps[(maps["experiment"] == experiment.name) & (maps["source"] == "all")]
    if rows.empty:
        return None
    tested = set(rows["patient"])
    fitted = tissues[
        (tissues["dataset"] == experiment.dataset.name) & tissues["patient"].isin(tested)
    ]
    models = [name for name in experiment.models if name in set(rows["model"])]
    body = []
    for names, group in rows.groupby(["tissue", "parameter"], sort=False):
        tissue, parameter = map(str, names)
        unit = PARAMETER_UNITS.get(parameter, "")
        squares = fitted[(fitted["tissue"] == tissue) & (fitted["parameter"] == parameter)]
        body.append(
            (
                Cell(
                    tissue, f"{tissue} {parameter}", f"{parameter} ({unit})" if unit else parameter
                ),
                numeric(pd.to_numeric(group.drop_duplicates("patient")["truth"]).mean(), 3),
                _value(squares),
                *(_value(group[group["model"] == model]) for model in models),
            )
        )
    return Table(
        name=f"maps-{experiment.name}",
        caption=(
            f"{leaked_caption(experiment)}Median over the voxels of a tissue, then mean ± SD over "
            f"the {len(tested)} test patients, with the mean relative error below where the truth "
            "is known. Least squares has all contrasts of a patient, a model one at a time."
        ),
        columns=("Tissue", "Truth", "Least squares", *models),
        rows=tuple(body),
        csv=rows.to_csv(index=False),
    )


def _value(rows: pd.DataFrame) -> Cell:
    middle = rows["median"].astype(float)
    if middle.dropna().empty:
        return Cell("–", None)
    truth = pd.to_numeric(rows["truth"])
    error = (100 * (middle - truth) / truth).mean()
    detail = "" if pd.isna(error) else signed_percent(error)
    return Cell(mean_and_sd(middle.mean(), middle.std(), 3), float(middle.mean()), detail)
