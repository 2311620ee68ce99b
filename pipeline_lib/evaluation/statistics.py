"""Summaries over patients: a slice is no independent sample, a patient is."""

import zlib
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Series

import numpy as np
import pandas as pd

from pipeline_lib.evaluation.gathering import QUANTITY, SYSTEM, Gathered, Key, Means

Array = np.ndarray

SUMMARY = ["n", "mean", "sd", "low", "high"]
COLUMNS = [*SYSTEM, *QUANTITY, *SUMMARY]
# Name of the source and the target in rows over all pairs.
ALL = "all"
CONFIDENCE = 0.95
# Draws of the bootstrap that are held at once: patients times resamples.
DRAWS = 2**22


def pairs_pooled(means: Means) -> Means:
    """Take each patient's mean over all pairs of different contrasts, as source = target = `all`.

    The pairs are those of the table: all models of an experiment have the same (see
    `merging.merge`). The mean is taken within the patient, so that the patient stays the unit.
    """
    return means.pooled(
        ((source, target, *rest), (ALL, ALL, *rest))
        for source, target, *rest in means.quantities
        if source != target
    )


def summary(gathered: Gathered, resamples: int, seed: int, group: str = "test") -> pd.DataFrame:
    """Mean, SD and 95 % bootstrap interval over patients, of every quantity of every model.

    Folds are pooled: a patient is in the test of one only. The SD is that between patients; the
    interval is that of the mean, by resampling patients (Efron 1979; percentiles), with the same
    draws for all models of an experiment.

    Parameters
    ----------
    gathered
        Of the table of metrics.
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
    return joined(
        (
            summarised(system, [means, pairs_pooled(means)], resamples, seed)
            for (system, of), means in gathered.values.items()
            if of == group
        ),
        COLUMNS,
    )


def joined(tables: Iterable[pd.DataFrame], columns: Series[str]) -> pd.DataFrame:
    """Join tables of these columns; none, or empty ones, are an empty one."""
    parts = [table for table in tables if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def draws_of(experiment: object, seed: int) -> np.random.Generator:
    """Source of the bootstrap's draws: the same for all models of an experiment."""
    return np.random.default_rng([seed, zlib.crc32(str(experiment).encode())])


def summarised(system: Key, parts: Series[Means], resamples: int, seed: int) -> pd.DataFrame:
    """Summarise over patients.

    Parameters
    ----------
    system
        Experiment, dataset and model.
    parts
        Means of the same patients and of different quantities.
    resamples, seed
        See `summary`.

    Returns
    -------
        The columns `SYSTEM`, those of the quantities, and `SUMMARY`.
    """
    names = parts[0].quantity
    order = [key for part in parts for key in part.quantities]
    # By name, so that the draws do not depend on the order of the rows.
    rows = [row for _, row in sorted(parts[0].patients.items())]
    values = np.concatenate([part.values()[rows] for part in parts], axis=1)
    result = np.full((5, len(order)), np.nan)
    for patients, columns in _by_patients(~np.isnan(values)):
        # New draws from the start for each set, so that none depends on what else is in the table.
        block = values[np.ix_(patients, columns)]
        result[:, columns] = _statistics(block, resamples, draws_of(system[0], seed))
    table = pd.DataFrame(order, columns=names)
    for name, column in zip(SUMMARY, result, strict=True):
        table[name] = column
    table["n"] = table["n"].fillna(0).astype(int)
    table = table.assign(**dict(zip(SYSTEM, map(str, system), strict=True)))
    return table[[*SYSTEM, *names, *SUMMARY]]


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
    tail = 100 * (1 - CONFIDENCE) / 2
    means = np.empty((resamples, values.shape[1]))
    step = max(DRAWS // count, 1)
    for first in range(0, resamples, step):
        here = slice(first, min(first + step, resamples))
        # One multinomial draw is one resample with replacement, as how often each was taken.
        taken = rng.multinomial(count, np.full(count, 1 / count), size=here.stop - first)
        means[here] = (taken / count) @ values
    return np.percentile(means, [tail, 100 - tail], axis=0)
