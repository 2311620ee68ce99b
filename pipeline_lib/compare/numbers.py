"""Tables of the evaluation, compared number by number and patient by patient."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.compare.folders import Kind

# Metrics of the body that are told one by one, and whether more of them is better.
HIGHER_IS_BETTER = {"nrmse": False, "psnr": True, "ssim": True}
# A number below this is the rounding of a zero: differences are relative to this at least.
SMALLEST = 1e-6
SYSTEM = ["experiment", "dataset", "model"]
# Name of source and target in rows over all pairs.
ALL = "all"


@dataclass(frozen=True)
class TableComparison:
    """Two tables, joined on what names their rows.

    Attributes
    ----------
    rows
        How many rows are in both.
    only_first, only_second
        How many are in one.
    values
        How many numbers the rows in both hold.
    columns
        Column -> how many of its numbers differ.
    differences
        One row a number that differs: the keys, `column`, `a`, `b` and `relative` (infinite where
        one of them is not finite), the largest first.
    """

    rows: int
    only_first: int
    only_second: int
    values: int
    columns: dict[str, int]
    differences: pd.DataFrame


def compare_tables(
    kind: Kind, first: pd.DataFrame, second: pd.DataFrame, tolerance: float
) -> TableComparison:
    """Join two tables and compare all columns of numbers that both have.

    Parameters
    ----------
    kind
        Of both tables. Text beside the keys names a row too.
    tolerance
        Largest relative difference |a - b| / max(|a|, |b|, 1e-6) of equal numbers.
    """
    shared = [column for column in first.columns if column in second.columns]
    numeric = [
        column
        for column in shared
        if column not in kind.keys
        and all(_holds_numbers(table[column]) for table in (first, second))
    ]
    keys = [column for column in shared if column not in numeric]
    one, other = (table[shared].astype(dict.fromkeys(keys, str)) for table in (first, second))
    joined = one.merge(other, on=keys, how="left", suffixes=(" a", " b"), indicator=True)
    both = joined[joined["_merge"] == "both"].reset_index(drop=True)
    parts = []
    for column in numeric:
        a, b = (both[f"{column} {side}"].to_numpy(dtype=float) for side in "ab")
        relative = relative_difference(a, b)
        differs = relative > tolerance
        part = both.loc[differs, keys]
        parts.append(
            part.assign(column=column, a=a[differs], b=b[differs], relative=relative[differs])
        )
    differences = pd.concat(parts) if parts else both[keys].head(0)
    if parts:
        differences = differences.sort_values("relative", ascending=False, kind="stable")
    return TableComparison(
        rows=len(both),
        only_first=len(first) - len(both),
        only_second=len(second) - len(both),
        values=len(both) * len(numeric),
        columns={column: len(part) for column, part in zip(numeric, parts, strict=True)},
        differences=differences.reset_index(drop=True),
    )


def _holds_numbers(column: pd.Series) -> bool:
    """Whether all values are numbers; those of an empty column are."""
    return pd.api.types.is_numeric_dtype(column) or bool(column.isna().all())


def relative_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give |a - b| / max(|a|, |b|, 1e-6), which is 0 for two NaN and for two infinite alike."""
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(invalid="ignore"):
        scale = np.maximum(np.maximum(np.abs(first), np.abs(second)), SMALLEST)
        relative = np.abs(first - second) / scale
    relative[~np.isfinite(relative)] = np.inf
    relative[same] = 0
    return relative


def pooled_systems(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Put the rows over all pairs (region body) of two summaries side by side.

    Returns
    -------
        experiment, dataset, model, metric, n_a, n_b, a, b, difference (b - a) and overlap: whether
        the 95 % intervals of the means overlap, `None` where one of them has none.
    """
    keys = [*SYSTEM, "metric"]
    tables = [
        table[
            (table["source"] == ALL)
            & (table["target"] == ALL)
            & (table["region"] == "body")
            & table["metric"].isin(list(HIGHER_IS_BETTER))
        ][[*keys, "n", "mean", "low", "high"]]
        for table in (first, second)
    ]
    joined = tables[0].merge(tables[1], on=keys, suffixes=("_a", "_b"))
    limits = joined[["low_a", "high_a", "low_b", "high_b"]]
    touching = (joined["low_a"] <= joined["high_b"]) & (joined["low_b"] <= joined["high_a"])
    known = limits.notna().all(axis=1)
    joined = joined.rename(columns={"mean_a": "a", "mean_b": "b"})
    overlap = touching.astype(object).where(known, None)
    joined = joined.assign(difference=_difference(joined["a"], joined["b"]), overlap=overlap)
    return joined[[*keys, "n_a", "n_b", "a", "b", "difference", "overlap"]]


def paired_patients(first: pd.DataFrame, second: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Compare each model with itself, over the patients who were tested in both.

    A patient's value is the mean over the pairs of different contrasts that both have (region
    body); the folds need not be the same. Values within the tolerance (see `compare_tables`) are
    equal.

    Returns
    -------
        experiment, dataset, model, metric, patients, difference (mean of b - a), better and worse
        (number of patients for whom b is better, or worse, than a).
    """
    keys = [*SYSTEM, "patient", "source", "target", "metric"]
    tables = [
        table[
            (table["group"] == "test")
            & (table["region"] == "body")
            & (table["source"] != table["target"])
            & table["metric"].isin(list(HIGHER_IS_BETTER))
        ][[*keys, "value"]]
        for table in (first, second)
    ]
    joined = tables[0].merge(tables[1], on=keys, suffixes=("_a", "_b"))
    columns = [*SYSTEM, "metric"]
    grouped = joined.groupby([*columns, "patient"], sort=False, as_index=False)
    patients = grouped[["value_a", "value_b"]].mean()
    a, b = (patients[name].to_numpy(float) for name in ("value_a", "value_b"))
    differs = relative_difference(a, b) > tolerance
    better = np.where(patients["metric"].map(HIGHER_IS_BETTER), b > a, b < a)
    worse = np.where(patients["metric"].map(HIGHER_IS_BETTER), b < a, b > a)
    patients = patients.assign(
        difference=_difference(patients["value_a"], patients["value_b"]),
        better=differs & better,
        worse=differs & worse,
    )
    return patients.groupby(columns, sort=False, as_index=False).agg(
        patients=("patient", "size"),
        difference=("difference", "mean"),
        better=("better", "sum"),
        worse=("worse", "sum"),
    )


def _difference(first: pd.Series, second: pd.Series) -> pd.Series:
    """Second minus first; none between values that are infinite alike."""
    return (second - first).where(first != second, 0.0)
