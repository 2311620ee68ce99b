"""Paired comparisons, by hand and beside SciPy's and statsmodels'."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from pipeline_lib.evaluation.comparisons import (
    COLUMNS,
    MIN_PATIENTS_FOR_P,
    compared,
    holm,
    rank_biserial,
    signed_rank_p,
)
from pipeline_lib.evaluation.comparisons import comparisons as comparisons_of
from pipeline_lib.evaluation.gathering import Gathered
from pipeline_lib.evaluation.tables import KEYS


def metrics(models, metric="nrmse", **changes):
    """One row a model and patient; `models` is {model: [value of each patient]}."""
    rows = [
        dict(
            zip(
                KEYS,
                ("e", "d", model, 0, "test", "seen", f"sub-{n}", "a", "b", "body", metric),
                strict=True,
            ),
            value=value,
            data_range=1.0,
        )
        for model, values in models.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(**changes)


def comparisons(table, *arguments):
    return comparisons_of(compared(Gathered([table])), *arguments)


def only(table, first, second):
    return table[(table["first"] == first) & (table["second"] == second)].iloc[0]


SIX = {"unet": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "simko": [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]}


def test_six_patients_who_all_agree():
    row = only(comparisons(metrics(SIX), {"e": list(SIX)}, 500, 0), "unet", "simko")
    assert (row["n"], row["wins"], row["effect"]) == (6, 6, 1)  # a lower error is better
    assert row["difference"] == pytest.approx(-0.35)
    assert row["low"] < -0.35 < row["high"] < 0
    assert row["p"] == row["p_holm"] == 0.03125  # 2 of 2^6 signs


def test_of_psnr_and_ssim_the_higher_is_better():
    table = comparisons(metrics(SIX, "psnr"), {"e": list(SIX)}, 100, 0)
    row = only(table, "unet", "simko")
    assert (row["wins"], row["effect"], row["p"]) == (0, -1, 0.03125)
    assert row["difference"] == pytest.approx(-0.35)


def test_five_patients_give_no_p():
    assert MIN_PATIENTS_FOR_P == 6
    five = {model: values[:5] for model, values in SIX.items()}
    row = only(comparisons(metrics(five), {"e": list(five)}, 100, 0), "unet", "simko")
    assert np.isnan(row["p"]) and np.isnan(row["p_holm"])
    assert (row["n"], row["effect"]) == (5, 1)
    assert np.isfinite([row["low"], row["high"]]).all()


def test_every_pair_of_models_and_each_with_two_baselines():
    values = list(np.arange(7.0))
    models = ("unet", "crl", "pgan", "look_up_table", "do_nothing", "noise_ceiling")
    table = comparisons(
        metrics(dict.fromkeys(models, values)), {"e": ["unet", "crl", "pgan", "gone"]}, 100, 0
    )
    assert list(table.columns) == COLUMNS
    assert list(zip(table["first"], table["second"], strict=True)) == [
        ("unet", "crl"),
        ("unet", "pgan"),
        ("crl", "pgan"),
        ("unet", "look_up_table"),
        ("unet", "do_nothing"),
        ("crl", "look_up_table"),
        ("crl", "do_nothing"),
        ("pgan", "look_up_table"),
        ("pgan", "do_nothing"),
    ]
    assert table["p"].eq(1).all() and table["p_holm"].eq(1).all() and table["effect"].eq(0).all()


def test_the_pairs_are_pooled_within_the_patient_and_common_patients_compared():
    pairs = [metrics({m: v}, target=t) for (m, v), t in product(SIX.items(), "bc")]
    pairs.append(metrics({m: [99.0] * 6 for m in SIX}, target="a"))  # the diagonal
    pairs.append(metrics({"unet": [99.0] * 6}, region="fat"))
    pairs.append(metrics({m: [99.0] * 6 for m in SIX}, group="seen"))
    more = metrics({"unet": [0.0] * 7})
    pairs.append(more[more["patient"] == "sub-6"])
    row = only(comparisons(pd.concat(pairs), {"e": list(SIX)}, 100, 0), "unet", "simko")
    assert row["n"] == 6
    assert row["difference"] == pytest.approx(-0.35)


def test_a_family_is_an_experiment_and_a_metric():
    rng = np.random.default_rng(3)
    models = {name: list(rng.random(8)) for name in ("unet", "crl", "look_up_table")}
    tables = [
        metrics(models),
        metrics(models, "ssim"),
        metrics({"unet": models["unet"], "crl": models["crl"]}, experiment="other"),
    ]
    experiments = {"e": ["unet", "crl"], "other": ["unet", "crl"]}
    table = comparisons(pd.concat(tables), experiments, 100, 0)
    assert table.groupby(["experiment", "metric"]).size().to_dict() == {
        ("e", "nrmse"): 3,
        ("e", "ssim"): 3,
        ("other", "nrmse"): 1,
    }
    of_e = table[(table["experiment"] == "e") & (table["metric"] == "nrmse")]
    np.testing.assert_allclose(of_e["p_holm"], holm(of_e["p"].to_numpy()))
    alone = table[table["experiment"] == "other"].iloc[0]
    assert alone["p"] == alone["p_holm"]


def test_no_experiment_gives_an_empty_table():
    table = comparisons(metrics(SIX), {}, 100, 0)
    assert list(table.columns) == COLUMNS
    assert table.empty


def test_the_effect_by_hand():
    # Ranks of 3, 1, 2 are 3, 1, 2: (3 - 1 + 2) / 6.
    assert rank_biserial(np.array([3.0, -1.0, 2.0])) == pytest.approx(4 / 6)
    # Tied ranks 1.5 and 1.5 cancel; the difference of 0 has no rank.
    assert rank_biserial(np.array([1.0, -1.0, 0.0])) == 0
    assert rank_biserial(np.array([0.0, 0.0, -2.0])) == -1
    assert rank_biserial(np.zeros(4)) == 0


def test_p_by_counting_all_signs():
    differences = np.array([0.5, -0.3, 1.2, 0.9, 0.8, -0.1, 0.4])
    ranks = scipy.stats.rankdata(np.abs(differences))
    observed = ranks[differences > 0].sum()
    sums = [ranks[np.array(signs)].sum() for signs in product((False, True), repeat=7)]
    centre = ranks.sum() / 2
    expected = np.mean(np.abs(np.array(sums) - centre) >= abs(observed - centre))
    assert signed_rank_p(differences) == pytest.approx(expected)


def test_p_of_ties_and_zeros_is_exact_too():
    # Six equal ranks: two of 64 signs are as far out.
    assert signed_rank_p(np.full(6, 0.1)) == pytest.approx(0.03125)
    assert signed_rank_p(np.array([0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])) == pytest.approx(0.03125)
    assert signed_rank_p(np.zeros(6)) == 1
    assert np.isnan(signed_rank_p(np.ones(5)))


def test_holm_by_hand():
    # Sorted .01, .02, .03, .04 times 4, 3, 2, 1: .04, .06, .06, .04, which may not fall.
    found = holm(np.array([0.03, 0.01, np.nan, 0.04, 0.02]))
    np.testing.assert_allclose(found, [0.06, 0.04, np.nan, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1, 1])
    assert holm(np.array([])).size == 0


def test_holm_is_that_of_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).random(12) ** 3
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])
