"""Summaries over patients: a slice is no independent sample, a patient is."""

import zlib
from collections.abc import Hashable, Iterator

import numpy as np
import pandas as pd

Array = np.ndarray

SYSTEM = ["experiment", "dataset", "model"]
QUANTITY = ["source", "target", "region", "metric"]
COLUMNS = [*SYSTEM, *QUANTITY, "n", "mean", "sd", "low", "high"]
# Name of the source and the target in rows over all pairs.
ALL = "all"
CONFIDENCE = 0.95


def with_pairs_pooled(metrics: pd.DataFrame) -> pd.DataFrame:
    """Append each patient's mean over all pairs of different contrasts, as source = target = `all`.

    The pairs are those of the table: all models of an experiment have the same (see
    `tables.merged`). The mean is taken within the patient, so that the patient stays the unit.
    """
    off_diagonal = metrics[metrics["source"] != metrics["target"]]
    keys = [*SYSTEM, "patient", "region", "metric"]
    pooled = off_diagonal.groupby(keys, sort=False, as_index=False)["value"].mean()
    return pd.concat([metrics, pooled.assign(source=ALL, target=ALL)], ignore_index=True)


def summary(metrics: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """Mean, SD and 95 % bootstrap interval over patients, of every quantity of every model.

    Folds are pooled: a patient is in the test of one only. The SD is that between patients; the
    interval is that of the mean, by resampling patients (Efron 1979; percentiles), with the same
    draws for all models of an experiment.

    Parameters
    ----------
    metrics
        The table of metrics; one value a patient, model and quantity.
    resamples
        Number of bootstrap resamples.
    seed
        Of the draws, together with the experiment's name.

    Returns
    -------
        The columns `COLUMNS`, in the order in which the quantities first occur. One patient has
        neither SD nor interval. Where a perfect answer makes a value infinite, so is the mean.
    """
    parts = [
        _summary_of_system(system, part, resamples, seed)
        for system, part in with_pairs_pooled(metrics).groupby(SYSTEM, sort=False)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def _summary_of_system(
    system: tuple[Hashable, ...], part: pd.DataFrame, resamples: int, seed: int
) -> pd.DataFrame:
    order = pd.MultiIndex.from_frame(part[QUANTITY].drop_duplicates())
    wide = part.pivot(index="patient", columns=QUANTITY, values="value")[order]
    values = wide.to_numpy()
    result = np.full((5, values.shape[1]), np.nan)
    for patients, columns in _by_patients(~np.isnan(values)):
        # New draws from the start for each set, so that none depends on what else is in the table.
        rng = np.random.default_rng([seed, zlib.crc32(str(system[0]).encode())])
        block = values[np.ix_(patients, columns)]
        result[:, columns] = _statistics(block, resamples, rng)
    table = order.to_frame(index=False)
    for name, column in zip(COLUMNS[-5:], result, strict=True):
        table[name] = column
    table["n"] = table["n"].astype(int)
    table = table.assign(**dict(zip(SYSTEM, map(str, system), strict=True)))
    return table[COLUMNS]


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
