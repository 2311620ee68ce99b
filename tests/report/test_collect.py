"""What is read of a results folder, and which options a request has."""

import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.report.collect import DECISION_KEYS, Results
from pipeline_lib.report.curves import POINTS, thin
from pipeline_lib.report.request import Request
from tests.report.fabricate import options, pelvis
from tests.report.fabricate_images import dataset_files


def experiment(**more):
    values = {"dataset": "pelvis", "folds": 2, "models": ["unet"], **more}
    return Request.from_options(options({"pelvis": pelvis()}, {"e": values})).experiments[0]


def test_tables_that_are_absent_are_empty(tmp_path):
    tables = Results(tmp_path).evaluated()
    assert tables.summary.empty and tables.comparisons.empty and tables.maps.empty
    assert tables.of("e").tested.empty


def test_a_table_without_a_column_is_told(tmp_path):
    (tmp_path / "evaluation").mkdir()
    pd.DataFrame({"experiment": ["e"]}).to_parquet(tmp_path / "evaluation/metrics.parquet")
    with pytest.raises(InputError, match="lacks the column dataset; delete it"):
        Results(tmp_path).evaluated()


def test_decisions_of_all_folds_are_joined(tmp_path):
    asked = experiment()
    assert Results(tmp_path).decisions(asked, "simko").columns[0] == "fold"
    folder = tmp_path / "decide/e/simko"
    folder.mkdir(parents=True)
    row = dict(zip(DECISION_KEYS, ["acquired", "tr", 0.008, 4.5, "NA", 0.9, 1.0], strict=True))
    for fold in range(2):
        pd.DataFrame([row]).to_csv(folder / f"fold-{fold}.csv", index=False)
    found = Results(tmp_path).decisions(asked, "simko")
    assert list(found["fold"]) == [0, 1]
    assert list(found["class"]) == ["NA", "NA"]  # a contrast's name, no missing value


def test_what_an_older_run_does_not_tell_has_defaults():
    asked = experiment()
    assert (asked.paper, asked.leaked, asked.seen) == (None, None, 0)
    assert asked.unseen == asked.external == ()
    asked = experiment(paper="crl2024", unseen=["T2w"], leaked=None, external=None, seen=3)
    assert (asked.paper, asked.unseen, asked.external, asked.seen) == ("crl2024", ("T2w",), (), 3)
    assert asked.leaked_words == ""


def test_a_long_curve_keeps_few_points():
    line = pd.DataFrame({"step": range(1000), "value": [1.0] * 500 + [0.0] * 500})
    made = thin(line)
    assert len(made) == POINTS
    assert made["step"].iloc[0] == 9.5  # the mean of the first 20 steps
    assert list(made["value"].unique()) == [1.0, 0.0]


def test_fitted_maps_are_given_by_name_and_none_where_none_were_fitted(tmp_path):
    asked = experiment().dataset
    dataset_files(tmp_path, asked.name, pelvis(), 24, np.random.default_rng(0))
    results = Results(tmp_path)
    patient = asked.patients[0]
    slices = results.slices(asked, patient)
    found = results.fitted_maps(asked, slices, ("T1", "flag"))
    assert list(found) == ["T1", "flag"]
    assert found["T1"].shape == slices.body.shape
    assert np.median(found["T1"][slices.tissues == 2]) == np.float32(1.412)
    shutil.rmtree(tmp_path / "fit_maps")
    assert results.fitted_maps(asked, slices, ("T1",)) == {}
