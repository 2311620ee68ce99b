"""Values of patients out of pieces of the table, beside pandas."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation import statistics
from pipeline_lib.evaluation.gathering import QUANTITY, SYSTEM, Gathered, Means
from pipeline_lib.evaluation.statistics import bootstrap_interval, pairs_pooled, summary
from pipeline_lib.evaluation.tables import KEYS

CONTRASTS = ("a", "b", "c")


def table(folds=3, patients=7, group="external"):
    """Values of very different size, some infinite or missing, in the test of every fold."""
    rng = np.random.default_rng(0)
    rows = [
        ("e", "d", "unet", fold, group, "seen", f"sub-{patient}", source, target, region, metric)
        for fold in range(folds)
        for patient in rng.permutation(patients)
        for source in CONTRASTS
        for target in CONTRASTS
        for region, metric in (("body", "mae"), ("body", "psnr"), ("fat", "mae"))
    ]
    values = rng.gamma(2.0, size=len(rows)) * 10 ** rng.uniform(-8, 8, len(rows))
    values[rng.random(len(rows)) < 0.05] = np.nan
    values[rng.random(len(rows)) < 0.02] = np.inf
    return pd.DataFrame(rows, columns=KEYS).assign(value=values, data_range=1.0)


def of_pandas(rows):
    """Each patient's means over folds, and those over all pairs of different contrasts."""
    keys = [*SYSTEM, "patient", *QUANTITY]
    found = rows.groupby(keys, sort=False)["value"].mean().reset_index()
    others = found[found["source"] != found["target"]]
    pooled = others.groupby([*SYSTEM, "patient", "region", "metric"], sort=False)["value"].mean()
    return pd.concat([found, pooled.reset_index().assign(source="all", target="all")])


@pytest.mark.parametrize("size", [10_000, 100, 37])
def test_the_means_are_those_of_pandas_to_the_last_bit_whatever_the_pieces(size):
    rows = table()
    gathered = Gathered(rows.iloc[at : at + size] for at in range(0, len(rows), size))
    (means,) = gathered.values.values()
    wide = of_pandas(rows).pivot(index="patient", columns=QUANTITY, values="value")
    for part in (means, pairs_pooled(means)):
        found = part.values()
        for patient, row in part.patients.items():
            for quantity, column in part.quantities.items():
                expected = wide.loc[patient, quantity]
                assert (
                    found[row, column] == expected or np.isnan([found[row, column], expected]).all()
                )
    assert len(means.quantities) == 27


def test_the_summary_does_not_depend_on_the_pieces():
    rows = table(folds=1, group="test")
    whole = summary(Gathered([rows]), 100, 0)
    pieces = summary(Gathered(rows.iloc[at : at + 50] for at in range(0, len(rows), 50)), 100, 0)
    pd.testing.assert_frame_equal(whole, pieces, check_exact=True)


def test_a_value_that_comes_again_in_a_later_piece_is_refused():
    rows = table(folds=1, group="test")
    again = rows.iloc[[5]].assign(fold=1)
    with pytest.raises(InputError, match=r"was tested twice with unet of e \(again in fold 1\)"):
        Gathered([rows, again])
    Gathered([rows.assign(group="seen"), again.assign(group="seen")])


def test_means_of_nothing_have_no_patients():
    assert Means(QUANTITY).values().shape == (0, 0)


def test_a_bootstrap_in_parts_has_the_same_draws(monkeypatch):
    values = np.random.default_rng(0).gamma(2.0, size=(30, 4))
    whole = bootstrap_interval(values, 300, np.random.default_rng(1))
    monkeypatch.setattr(statistics, "DRAWS", 30 * 7)
    parts = bootstrap_interval(values, 300, np.random.default_rng(1))
    np.testing.assert_allclose(parts, whole, rtol=1e-14)
