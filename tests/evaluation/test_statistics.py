"""Summaries over patients."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from pipeline_lib.evaluation.gathering import Gathered
from pipeline_lib.evaluation.statistics import COLUMNS, bootstrap_interval
from pipeline_lib.evaluation.statistics import summary as summary_of
from pipeline_lib.evaluation.tables import KEYS


def metrics(values, **changes):
    """One row a patient and pair; `values` is {patient: {(source, target): value}}."""
    rows = [
        dict(
            zip(
                KEYS,
                ("e", "d", "unet", fold, "test", "seen", patient, *pair, "body", "mae"),
                strict=True,
            ),
            value=value,
            data_range=1.0,
        )
        for fold, (patient, pairs) in enumerate(values.items())
        for pair, value in pairs.items()
    ]
    return pd.DataFrame(rows).assign(**changes)


def summary(table, *arguments, **more):
    return summary_of(Gathered([table]), *arguments, **more)


def test_mean_and_sd_are_over_patients_of_all_folds():
    table = summary(
        metrics({p: {("a", "b"): v} for p, v in zip("xyz", (1, 2, 6), strict=True)}), 500, 0
    )
    assert list(table.columns) == COLUMNS
    row = table[table.source == "a"].iloc[0]
    assert (row["n"], row["mean"]) == (3, 3)
    assert row["sd"] == pytest.approx(7**0.5)
    assert 1 <= row["low"] < 3 < row["high"] <= 6


def test_the_pairs_are_pooled_within_the_patient_and_without_the_diagonal():
    pairs = {("a", "a"): 100.0, ("a", "b"): 1.0, ("b", "a"): 3.0}
    table = summary(metrics({"x": pairs, "y": {key: 2 * v for key, v in pairs.items()}}), 100, 0)
    pooled = table[(table.source == "all") & (table.target == "all")].iloc[0]
    assert (pooled["n"], pooled["mean"]) == (2, 3)
    assert pooled["sd"] == pytest.approx(2**0.5)


def test_a_tissue_that_some_patients_lack_is_averaged_over_the_others():
    table = summary(
        pd.concat(
            [
                metrics({p: {("a", "b"): 1.0} for p in "xyz"}),
                metrics({p: {("a", "b"): 5.0} for p in "xy"}, region="prostate"),
            ]
        ),
        100,
        0,
    )
    assert table[(table.region == "prostate") & (table.source == "a")]["n"].item() == 2
    assert table[(table.region == "body") & (table.source == "a")]["n"].item() == 3


def test_infinite_values_stay_infinite_and_spoil_no_others():
    values = {p: {("a", "a"): np.inf, ("a", "b"): float(ord(p))} for p in "xyz"}
    table = summary(metrics(values), 100, 0).set_index(["source", "target"])
    assert table.loc[("a", "a"), "mean"] == np.inf
    assert np.isnan(table.loc[("a", "a"), "low"])
    assert np.isfinite(table.loc[("a", "b"), ["mean", "sd", "low", "high"]].astype(float)).all()


def test_one_patient_has_no_interval():
    row = summary(metrics({"x": {("a", "b"): 1.0}}), 100, 0).iloc[0]
    assert row["n"] == 1
    assert np.isnan(row[["sd", "low", "high"]].astype(float)).all()


def test_the_interval_is_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).gamma(2.0, size=(12, 1))
    low, high = bootstrap_interval(values, 20_000, np.random.default_rng(1))[:, 0]
    expected = scipy.stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=2
    ).confidence_interval
    assert low == pytest.approx(expected.low, rel=0.02)
    assert high == pytest.approx(expected.high, rel=0.02)


def test_a_model_gets_the_same_interval_whatever_else_is_in_the_table():
    one = metrics({p: {("a", "b"): float(ord(p))} for p in "vwxyz"})
    both = pd.concat([one.assign(model="first"), one])
    alone, among = summary(one, 200, 3), summary(both, 200, 3)
    pd.testing.assert_frame_equal(alone, among[among.model == "unet"].reset_index(drop=True))


def test_a_summary_is_of_one_group():
    values = {p: {("a", "b"): 1.0} for p in "xyz"}
    table = pd.concat(
        [metrics(values), metrics({p: {("a", "b"): 9.0} for p in "xy"}, group="external")]
    )
    assert summary(table, 100, 0)["mean"].unique().tolist() == [1]
    other = summary(table, 100, 0, group="external")
    assert other["mean"].unique().tolist() == [9]
    assert other["n"].unique().tolist() == [2]
    assert list(summary(table, 100, 0, group="seen").columns) == COLUMNS


def test_a_patient_of_another_dataset_is_one_however_many_folds_there_are():
    folds = [
        metrics({"x": {("a", "b"): v}, "y": {("a", "b"): 2.0}}, fold=fold, group="external")
        for fold, v in enumerate((1.0, 5.0))
    ]
    row = summary(pd.concat(folds), 100, 0, group="external").iloc[0]
    assert (row["n"], row["mean"]) == (2, 2.5)
