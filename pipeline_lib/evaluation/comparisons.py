"""Paired comparisons of the systems of an experiment; the patients are the unit."""

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Series
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from pipeline_lib.evaluation.gathering import Gathered
from pipeline_lib.evaluation.pairs import BODY
from pipeline_lib.evaluation.statistics import (
    ALL,
    bootstrap_interval,
    draws_of,
    joined,
    pairs_pooled,
)

Array = np.ndarray

COLUMNS = [
    "experiment",
    "metric",
    "first",
    "second",
    "n",
    "difference",
    "low",
    "high",
    "effect",
    "wins",
    "p",
    "p_holm",
]
METRICS = ("nrmse", "mae", "psnr", "ssim")
LOWER_IS_BETTER = ("nrmse", "mae")
BASELINES = ("look_up_table", "do_nothing")
# With 5 patients no two-sided p is below 0.0625, whatever they say.
MIN_PATIENTS_FOR_P = 6


COMPARED = ["experiment", "model", "metric", "patient", "value"]


def compared(gathered: Gathered) -> pd.DataFrame:
    """Take what systems are compared by: columns `COMPARED`, one value a system and patient.

    Each patient's mean over all pairs of different contrasts, over the body, of the test.
    """
    tables = []
    for ((experiment, _, model), group), means in gathered.values.items():
        pooled = pairs_pooled(means)
        values = pooled.values()
        for metric in METRICS if group == "test" else ():
            column = pooled.quantities.get((ALL, ALL, BODY, metric))
            if column is not None:
                table = pd.DataFrame({"patient": list(means.patients), "value": values[:, column]})
                table = table.assign(experiment=experiment, model=model, metric=metric)
                tables.append(table[COMPARED])
    return joined(tables, COMPARED)


def comparisons(
    values: pd.DataFrame, experiments: Mapping[str, Series[str]], resamples: int, seed: int
) -> pd.DataFrame:
    """Compare the systems of each experiment with each other and with two baselines.

    Every pair of learned models, and each of them with the look-up table and with doing nothing,
    on the patients that both were tested on: over the body, each patient's mean over all pairs of
    different contrasts. Values that are not finite (a perfect answer's PSNR) are left out.

    Parameters
    ----------
    values
        Of all systems; see `compared`.
    experiments
        Names of the learned models of each experiment.
    resamples, seed
        See `statistics.summary`.

    Returns
    -------
        The columns `COLUMNS`: `difference` is the mean of first - second, with its 95 % bootstrap
        interval over patients (percentiles); `effect` the matched-pairs rank-biserial correlation
        (see `rank_biserial`) and `wins` the number of patients, for the first; `p` the exact
        Wilcoxon signed-rank test and `p_holm` the same after Holm's correction over all
        comparisons of the experiment in that metric. Below 6 patients there is no p.
    """
    rows = []
    for experiment, models in experiments.items():
        of_experiment = values[values["experiment"] == experiment]
        for metric in METRICS:
            chosen = of_experiment[of_experiment["metric"] == metric]
            wide = chosen.pivot(index="patient", columns="model", values="value")
            for first, second in _pairs_of_models(models, wide.columns):
                both = wide[[first, second]].to_numpy()
                both = both[np.isfinite(both).all(axis=1)]
                found = _compared(both[:, 0] - both[:, 1], metric, experiment, resamples, seed)
                rows.append((experiment, metric, first, second, *found))
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    families = table.groupby(["experiment", "metric"], sort=False)["p"]
    table["p_holm"] = families.transform(lambda p: holm(p.to_numpy(dtype=float)))
    return table[COLUMNS]


def _pairs_of_models(models: Series[str], tested: pd.Index) -> Iterator[tuple[str, str]]:
    learned = [model for model in models if model in tested]
    yield from combinations(learned, 2)
    for model in learned:
        yield from ((model, baseline) for baseline in BASELINES if baseline in tested)


def _compared(
    differences: Array, metric: str, experiment: str, resamples: int, seed: int
) -> tuple[float, ...]:
    """n, mean difference, low, high, effect, wins and p of the differences of patients."""
    count = len(differences)
    if count == 0:
        return 0, np.nan, np.nan, np.nan, np.nan, 0, np.nan
    low = high = np.nan
    if count > 1:
        rng = draws_of(experiment, seed)
        low, high = bootstrap_interval(differences[:, None], resamples, rng)[:, 0]
    better = -differences if metric in LOWER_IS_BETTER else differences
    effect, wins = rank_biserial(better), int((better > 0).sum())
    return count, differences.mean(), low, high, effect, wins, signed_rank_p(differences)


def rank_biserial(gains: Array) -> float:
    """Matched-pairs rank-biserial correlation (Kerby 2014, Compr Psychol 3: simple difference).

    The share of the sum of ranks of |gain| that is with the first minus the share that is against
    it: 1 where every patient gains, -1 where none does. Patients without a difference have no rank.

    Parameters
    ----------
    gains
        One a patient, positive where the first of two systems is better.

    Returns
    -------
        0 where no patient differs.
    """
    gains = gains[gains != 0]
    if len(gains) == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(gains))
    return float((ranks * np.sign(gains)).sum() / ranks.sum())


def signed_rank_p(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of paired differences.

    Exact up to 50 patients without ties, and up to 13 with ties or differences of 0; the normal
    approximation beyond (SciPy's `auto`).

    Parameters
    ----------
    differences
        One a patient.

    Returns
    -------
        NaN below 6 patients; 1 where no patient differs.
    """
    if len(differences) < MIN_PATIENTS_FOR_P:
        return float("nan")
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences, method="auto").pvalue)


def holm(p: Array) -> Array:
    """Correct p values for their number (Holm 1979, Scand J Stat 6:65), step down.

    Parameters
    ----------
    p
        Of one family of tests; NaN is no test.

    Returns
    -------
        The corrected values in the same order, at most 1; NaN where `p` is.
    """
    corrected = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected
