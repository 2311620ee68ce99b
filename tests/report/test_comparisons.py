"""Paired comparisons: which way round they are read, and where there is no p value."""

import pandas as pd
import pytest

from pipeline_lib.report.comparisons import compare, comparison_table
from pipeline_lib.report.request import Request
from tests.report.fabricate import options, pelvis

ROW = {
    "experiment": "e", "metric": "nrmse", "first": "unet", "second": "look_up_table", "n": 6,
    "difference": -0.1, "low": -0.15, "high": -0.02, "effect": 1.0, "wins": 6, "p": 0.016,
    "p_holm": 0.031,
}  # fmt: skip


def table(*rows):
    return pd.DataFrame([{**ROW, **row} for row in rows])


def experiment(**more):
    values = {"dataset": "pelvis", "folds": 1, "models": ["unet"], **more}
    return Request.from_options(options({"pelvis": pelvis()}, {"e": values})).experiments[0]


def test_a_comparison_is_found_whichever_system_is_named_first():
    there = compare(table({}), "e", "nrmse", "unet", "look_up_table")
    back = compare(table({}), "e", "nrmse", "look_up_table", "unet")
    assert (there.difference, there.low, there.high) == (-0.1, -0.15, -0.02)
    assert (back.difference, back.low, back.high) == (0.1, 0.02, 0.15)
    assert there.interval("nrmse") == "−0.100 [−0.150, −0.020]"
    assert back.interval("nrmse") == "+0.100 [+0.020, +0.150]"
    assert there.sure
    assert compare(table({}), "e", "psnr", "unet", "look_up_table") is None


@pytest.mark.parametrize(("n", "text"), [(5, "n < 6: no p value"), (6, "0.031")])
def test_below_6_patients_there_is_no_p_value(n, text):
    made = comparison_table(experiment(), table({"n": n}))
    assert made.rows[0][-1].text == text
    assert compare(table({"n": n}), "e", "nrmse", "unet", "look_up_table").sure == (n == 6)


def test_the_table_has_wins_effect_and_the_order_of_the_metrics():
    made = comparison_table(
        experiment(), table({"metric": "psnr", "difference": 3.0, "wins": 5}, {}, {"n": 0})
    )
    assert [row[1].text for row in made.rows] == ["NRMSE", "PSNR"]
    assert [cell.text for cell in made.rows[1]][3:6] == ["+3.00", "1.00", "5 of 6"]
    assert "+1 where the first is better in every patient" in made.caption
    assert not made.caption.startswith("Leaked")


def test_a_leaked_experiment_says_so_in_the_caption():
    assert comparison_table(experiment(leaked="image"), table({})).caption.startswith(
        "Leaked split"
    )
