"""How a model does on anatomy and on parameters that it has and has not seen: a 2 x 2 table."""

import pandas as pd

from pipeline_lib.evaluation.pairs import BODY
from pipeline_lib.evaluation.statistics import SUMMARY, SYSTEM, summarised

CELL = ["group", "parameters", "metric"]
COLUMNS = [*SYSTEM, *CELL, *SUMMARY]
ANATOMY = ("test", "seen")


def generalisation(metrics: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """Summarise by group (unseen and seen anatomy) and parameters (unseen and seen).

    Over the body and over pairs of different contrasts, whose mean is taken within each patient
    before the patients are summarised.

    Parameters
    ----------
    metrics
        The table of metrics of all experiments.
    resamples, seed
        See `statistics.summary`.

    Returns
    -------
        The columns `COLUMNS`, for the experiments that have a seen group or unseen parameters: of
        the others no more than one cell is filled.
    """
    chosen = metrics[
        metrics["group"].isin(ANATOMY)
        & (metrics["region"] == BODY)
        & (metrics["source"] != metrics["target"])
    ]
    divided = chosen[(chosen["group"] == "seen") | (chosen["parameters"] == "unseen")]
    chosen = chosen[chosen["experiment"].isin(divided["experiment"].unique())]
    # The folds of a patient who was seen in several first: each has the same pairs.
    pooled = chosen.groupby([*SYSTEM, *CELL, "patient"], sort=False)["value"].mean()
    return summarised(pooled.reset_index(), CELL, resamples, seed)
