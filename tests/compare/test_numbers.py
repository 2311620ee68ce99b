"""Tables number by number, and patients in pairs."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.compare.folders import KINDS
from pipeline_lib.compare.numbers import (
    compare_tables,
    paired_patients,
    pooled_systems,
    relative_difference,
)
from tests.compare.fabricate import VALUES, metrics, summary, tissues

SUMMARY = KINDS["summary.csv"]


def test_differences_are_relative_to_the_larger_number():
    first = np.array([1.0, -2.0, 0.0, np.inf, np.nan, np.inf, 1.0, 2e-18])
    second = np.array([1.25, 2.0, 0.0, np.inf, np.nan, 3.0, np.nan, -2e-18])
    expected = [0.2, 2, 0, 0, 0, np.inf, np.inf, 4e-12]
    assert relative_difference(first, second) == pytest.approx(expected)


def test_every_number_of_the_rows_in_both_is_compared():
    first = summary(metrics())
    second = first.drop(index=0).copy()
    second.loc[1, ["mean", "high"]] += [1.0, 2.0]
    found = compare_tables(SUMMARY, first, second, tolerance=0)
    assert (found.rows, found.only_first, found.only_second) == (len(first) - 1, 1, 0)
    assert found.values == 5 * found.rows  # n, mean, sd, low, high
    assert found.columns == {"n": 0, "mean": 1, "sd": 0, "low": 0, "high": 1}
    assert list(found.differences["column"]) == ["high", "mean"]  # the larger one first
    row = found.differences.iloc[1]
    assert (row["metric"], row["b"] - row["a"]) == ("psnr", pytest.approx(1))


def test_a_tolerance_is_relative():
    first = summary(metrics())
    second = first.assign(mean=first["mean"] * (1 + 1e-7))
    assert len(compare_tables(SUMMARY, first, second, 0).differences) == len(first)
    assert compare_tables(SUMMARY, first, second, 1e-6).differences.empty


def test_columns_of_one_table_alone_are_left_out_and_unknown_words_name_rows():
    first, second = metrics(), metrics()
    kind = KINDS["metrics.parquet"]
    assert compare_tables(kind, first, second.drop(columns="parameters"), 0).rows == len(first)
    found = compare_tables(kind, first, second.assign(parameters="unseen"), 0)
    assert (found.rows, found.only_first) == (0, len(first))
    assert compare_tables(kind, first, second.assign(more=1.0), 0).differences.empty


def test_a_table_may_be_empty():
    table = summary(metrics())
    empty = pd.DataFrame(columns=table.columns, dtype=object)
    for first, second, only in (
        (empty, empty, (0, 0)),
        (empty, table, (0, 9)),
        (table, empty, (9, 0)),
    ):
        found = compare_tables(SUMMARY, first, second, 0)
        assert (found.rows, found.only_first, found.only_second) == (0, *only)
        assert list(found.columns) == ["n", "mean", "sd", "low", "high"]
        assert pooled_systems(first, second).empty


def test_unknown_values_are_equal():
    found = compare_tables(KINDS["tissues.csv"], tissues(), tissues(2.8), 0)
    assert set(found.differences["column"]) == {"mean", "median"}
    assert found.differences["relative"].tolist() == [0.5, 0.5]


def test_a_system_is_pooled_over_all_pairs_and_its_intervals_may_overlap():
    first = metrics()
    near = {pair: value + 0.015 for pair, value in VALUES.items()}
    found = pooled_systems(summary(first), summary(metrics(near))).set_index("metric")
    assert list(found.index) == ["nrmse", "psnr", "ssim"]
    assert found.loc["nrmse", "a"] == pytest.approx(0.25)
    assert found.loc["nrmse", "difference"] == pytest.approx(0.015)
    assert found.loc["nrmse", "overlap"] is True  # 0.25 + 0.01 > 0.265 - 0.01
    assert found.loc["psnr", "overlap"] is False  # lower by 0.15, with intervals of 0.02
    alone = summary(first).assign(low=np.nan, high=np.nan)
    assert pooled_systems(summary(first), alone)["overlap"].tolist() == [None] * 3


def test_patients_are_paired_over_the_pairs_that_both_have():
    second = {
        ("sub-2", "T1w", "T2w"): 0.2,  # + 0.1
        ("sub-2", "T2w", "T1w"): 0.1,  # - 0.2
        ("sub-3", "T1w", "T2w"): 0.5,  # + 0.3; its other pair is not in B
        ("sub-3", "T1w", "T1w"): 0.0,  # the same contrast
        ("sub-4", "T1w", "T2w"): 9.0,  # not in A
    }
    table = metrics(second).assign(fold=1)
    found = paired_patients(metrics(), table, 0).set_index("metric")
    row = found.loc["nrmse"]
    assert (row["patients"], row["better"], row["worse"]) == (2, 1, 1)
    assert row["difference"] == pytest.approx((-0.05 + 0.3) / 2)
    row = found.loc["psnr"]  # higher is better
    assert (row["better"], row["worse"]) == (1, 1)
    assert row["difference"] == pytest.approx((0.5 - 3) / 2)


def test_only_held_out_patients_are_paired():
    seen = metrics().assign(group="seen")
    assert paired_patients(seen, seen, 0).empty


def test_infinite_alike_and_within_the_tolerance_nobody_wins():
    first = metrics({("sub-2", "T1w", "T2w"): 0.1})
    first.loc[first["metric"] == "psnr", "value"] = np.inf
    second = first.assign(value=first["value"] * (1 + 1e-7))
    found = paired_patients(first, second, 1e-6)
    assert not found[["better", "worse"]].any().any()
    assert found.loc[found["metric"] == "psnr", "difference"].item() == 0
    assert paired_patients(first, second, 0)["worse"].tolist() == [1, 0, 0]


def test_models_of_one_alone_are_not_paired():
    both = pd.concat([metrics(), metrics(model="simko")])
    assert set(paired_patients(both, metrics(), 0)["model"]) == {"unet"}
