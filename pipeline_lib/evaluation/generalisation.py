"""How a model does on anatomy and on parameters that it has and has not seen: a 2 x 2 table."""

from collections.abc import Mapping

import pandas as pd

from pipeline_lib.evaluation.gathering import CELL, SYSTEM, Key, Means
from pipeline_lib.evaluation.statistics import SUMMARY, joined, summarised

COLUMNS = [*SYSTEM, *CELL, *SUMMARY]


def generalisation(cells: Mapping[Key, Means], resamples: int, seed: int) -> pd.DataFrame:
    """Summarise by group (unseen and seen anatomy) and parameters (unseen and seen).

    Over the body and over pairs of different contrasts, whose mean is taken within each patient
    before the patients are summarised. The folds of a patient who was seen in several count each:
    all have the same pairs.

    Parameters
    ----------
    cells
        Of all systems; see `gathering.Gathered`.
    resamples, seed
        See `statistics.summary`.

    Returns
    -------
        The columns `COLUMNS`, for the experiments that have a seen group or unseen parameters: of
        the others no more than one cell is filled.
    """
    divided = {
        experiment
        for (experiment, *_), means in cells.items()
        if any(
            group == "seen" or parameters == "unseen" for group, parameters, _ in means.quantities
        )
    }
    return joined(
        (
            summarised(system, [means], resamples, seed)
            for system, means in cells.items()
            if system[0] in divided
        ),
        COLUMNS,
    )
