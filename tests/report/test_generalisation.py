"""The 2 x 2 table of seen and unseen anatomy and parameters, and that of another dataset."""

import pandas as pd

from pipeline_lib.report.collect import Results
from pipeline_lib.report.generalisation import external_tables, generalisation_table
from pipeline_lib.report.map_tables import maps_table
from pipeline_lib.report.request import Request
from tests.report.fabricate import clinic, fabricate, options, pelvis

SCORE = {"n": 2, "mean": 0.2, "sd": 0.01, "low": 0.19, "high": 0.21}


def experiment(**more):
    values = {"dataset": "pelvis", "folds": 1, "models": ["unet"], **more}
    datasets = {"pelvis": pelvis(), "clinic": clinic()}
    return Request.from_options(options(datasets, {"e": values})).experiments[0]


def rows(*cases):
    return pd.DataFrame(
        [
            {"experiment": "e", "dataset": "pelvis", "metric": "nrmse", **SCORE, "model": model,
             "group": group, "parameters": parameters, "mean": mean}
            for model, group, parameters, mean in cases
        ]
    )  # fmt: skip


def test_each_case_is_a_column_and_each_system_a_row():
    table = rows(
        ("unet", "seen", "seen", 0.1), ("unet", "seen", "unseen", 0.2),
        ("unet", "test", "seen", 0.3), ("unet", "test", "unseen", 0.4),
        ("look_up_table", "test", "seen", 0.5),
    )  # fmt: skip
    made = generalisation_table(experiment(unseen=["T2w"], seen=2), table, "nrmse")
    assert made.columns[1:] == (
        "Seen anatomy, seen parameters (n = 2)", "Seen anatomy, unseen parameters (n = 2)",
        "Unseen anatomy, seen parameters (n = 2)", "Unseen anatomy, unseen parameters (n = 2)",
    )  # fmt: skip
    assert [cell.sort for cell in made.rows[0]] == ["unet", 0.1, 0.2, 0.3, 0.4]
    assert [cell.text for cell in made.rows[1]] == ["Look-up table", "–", "–", "0.500 ± 0.010", "–"]
    assert "Unseen parameters: T2w." in made.caption


def test_cases_that_were_not_tested_have_no_column():
    table = rows(("unet", "test", "seen", 0.3), ("unet", "test", "unseen", 0.4))
    assert len(generalisation_table(experiment(), table, "nrmse").columns) == 3
    assert generalisation_table(experiment(), table, "psnr") is None


def made(folder, **more):
    values = {"dataset": "pelvis", "folds": 1, "models": ["unet", "simko"], **more}
    asked = options({"pelvis": pelvis(), "other": pelvis(2)}, {"e": values})
    fabricate(folder, asked)
    return Request.from_options(asked).experiments[0], Results(folder).evaluated()


def test_another_dataset_has_a_table_of_its_own(tmp_path):
    asked, tables = made(tmp_path, external=["other"], seen=2)
    (external,) = external_tables(asked, tables.external)
    assert external.name == "external-e-other"
    assert external.rows[0][2].text == "2"
    # Neither seen nor external patients are among those that are compared.
    assert set(tables.tested["patient"]) == {"sub-001", "sub-003", "sub-005"}
    assert external_tables(asked, tables.summary.iloc[:0]) == []


def test_values_of_the_maps_stand_beside_the_truth(tmp_path):
    asked, tables = made(tmp_path)
    table = maps_table(asked, tables.maps, tables.tissues)
    assert table.columns == ("Tissue", "Truth", "Least squares", "simko")
    fat_t1 = next(row for row in table.rows if row[0].sort == "fat T1")
    assert fat_t1[0].detail == "T1 (s)"
    assert fat_t1[1].text == "0.382"
    assert fat_t1[3].detail.endswith(" %")
    assert maps_table(asked, tables.maps.iloc[:0], tables.tissues) is None
