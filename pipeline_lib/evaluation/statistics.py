"""Summaries over patients: a slice is no independent sample, a patient is."""

import zlib
from collections.abc import Hashable, Iterator

import numpy as np
import pandas as pd

Array = np.ndarray

SYSTEM = ["experiment", "dataset", "model"]
QUANTITY = ["source", "target", "region", "metric"]
SUMMARY = ["n", "mean", "sd", "low", "high"]
COLUMNS = [*SYSTEM, *QUANTITY, *SUMMARY]
# Name of the source and the target in rows over all pairs.
ALL = "all"
CONFIDENCE = 0.95


def of_patients(metrics: pd.DataFrame, group: str) -> pd.DataFrame:
    """Take one group's values, one a patient, model and quantity.

    Seen and external patients are tested with the model of every fold: theirs is the mean over the
    folds.
    """
    chosen = metrics[metrics["group"] == group]
    keys = [*SYSTEM, "patient", *QUANTITY]
    return chosen.groupby(keys, sort=False)["value"].mean().reset_index()


def with_pairs_pooled(values: pd.DataFrame) -> pd.DataFrame:
    """Append each patient's mean over all pairs of different contrasts, as source = target = `all`.

    The pairs are those of the table: all models of an experiment have the same (see
    `tables.merged`). The mean is taken within the patient, so that the patient stays the unit.
    """
    off_diagonal = values[values["source"] != values["target"]]
    keys = [*SYSTEM, "patient", "region", "metric"]
    pooled = off_diagonal.groupby(keys, sort=False)["value"].mean().reset_index()
    return pd.concat([values, pooled.assign(source=ALL, target=ALL)], ignore_index=True)


def summary(metrics: pd.DataFrame, resamples: int, seed: int, group: str = "test") -> pd.DataFrame:
    """Mean, SD and 95 % bootstrap interval over patients, of every quantity of every model.

    Folds are pooled: a patient is in the test of one only. The SD is that between patients; the
    interval is that of the mean, by resampling patients (Efron 1979; percentiles), with the same
    draws for all models of an experiment.

    Parameters
    ----------
    metrics
        The table of metrics.
    resamples
        Number of bootstrap resamples.
    seed
        Of the draws, together with the experiment's name.
    group
        Of which patients.

    Returns
    -------
        The columns `COLUMNS`, in the order in which the quantities first occur. One patient has
        neither SD nor interval. Where a perfect answer makes a value infinite, so is the mean.
    """
    values = with_pairs_pooled(of_patients(metrics, group))
    return summarised(values, QUANTITY, resamples, seed)


def summarised(
    values: pd.DataFrame, quantity: list[str], resamples: int, seed: int
) -> pd.DataFrame:
    """Summarise over patients what is told apart by the columns `SYSTEM` and `quantity`.

    Parameters
    ----------
    values
        These columns, `patient` and `value`; one value a patient.
    quantity
        Columns that tell the quantities of a model apart.
    resamples, seed
        See `summary`.

    Returns
    -------
        The columns `SYSTEM`, `quantity` and `SUMMARY`.
    """
    parts = [
        _summary_of_system(system, part, quantity, resamples, seed)
        for system, part in values.groupby(SYSTEM, sort=False)
    ]
    columns = [*SYSTEM, *quantity, *SUMMARY]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def draws_of(experiment: object, seed: int) -> np.random.Generator:
    """Source of the bootstrap's draws: the same for all models of an experiment."""
    return np.random.default_rng([seed, zlib.crc32(str(experiment).encode())])


def _summary_of_system(
    system: tuple[Hashable, ...],
    part: pd.DataFrame,
    quantity: list[str],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    order = pd.MultiIndex.from_frame(part[quantity].drop_duplicates())
    wide = part.pivot(index="patient", columns=quantity, values="value")[order]
    values = wide.to_numpy()
    result = np.full((5, values.shape[1]), np.nan)
    for patients, columns in _by_patients(~np.isnan(values)):
        # New draws from the start for each set, so that none depends on what else is in the table.
        block = values[np.ix_(patients, columns)]
        result[:, columns] = _statistics(block, resamples, draws_of(system[0], seed))
    table = order.to_frame(index=False)
    for name, column in zip(SUMMARY, result, strict=True):
        table[name] = column
    table["n"] = table["n"].fillna(0).astype(int)
    table = table.assign(**dict(zip(SYSTEM, map(str, system), strict=True)))
    return table[[*SYSTEM, *quantity, *SUMMARY]]


def _by_patients(present: Array) -> Iterator[tuple[Array, Array]]:
    """Columns that have values of the same patients (a tissue may be missing in some)."""
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    for index, pattern in enumerate(patterns.T):
        if pattern.any():
            yield np.flatnonzero(pattern), np.flatnonzero(which == index)


def _statistics(values: Array, resamples: int, rng: np.random.Generator) -> Array:
    """n, mean, SD, low and high of each column of [patient, column]."""
    count = len(values)
    finite = np.isfinite(values).all(axis=0)
    result = np.full((5, values.shape[1]), np.nan)
    result[0] = count
    result[1] = values.mean(axis=0)
    if count > 1:
        result[2, finite] = values[:, finite].std(axis=0, ddof=1)
        result[3:, finite] = bootstrap_interval(values[:, finite], resamples, rng)
    return result


def bootstrap_interval(values: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Give the 95 % percentile interval of the mean of each column, by resampling rows.

    Parameters
    ----------
    values
        [patient, column], finite.
    resamples
        Number of resamples.
    rng
        Source of the draws, shared by all columns.

    Returns
    -------
        [2, column], low and high.
    """
    count = len(values)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples) / count
    tail = 100 * (1 - CONFIDENCE) / 2
    # One multinomial draw is one resample with replacement, as how often each patient was taken.
    return np.percentile(weights @ values, [tail, 100 - tail], axis=0)
