"""The table that opens the page: who wins where, and what is not counted."""

import pandas as pd

from pipeline_lib.report.collect import Evaluated, Results
from pipeline_lib.report.opening import lead, wins_table
from pipeline_lib.report.request import Request
from tests.report.fabricate import fabricate, options, pelvis


def made(folder, experiments, patients=12):
    values = {
        name: {"dataset": "pelvis", "folds": 1, "models": ["unet", "simko"], **more}
        for name, more in experiments.items()
    }
    asked = options({"pelvis": pelvis(patients)}, values)
    fabricate(folder, asked)
    return Request.from_options(asked), Results(folder).evaluated()


def rows_of(request, tables):
    table = wins_table(request.experiments, tables, {})
    return table, {row[0].text: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_a_leaked_experiment_comes_last_and_wins_nothing(tmp_path):
    request, tables = made(tmp_path, {"leaked": {"leaked": "image"}, "honest": {}})
    table, rows = rows_of(request, tables)
    assert [row[0].text for row in table.rows] == ["honest", "leaked"]
    assert rows["honest"]["Best learned system"].best
    assert not any(cell.best for cell in table.rows[1])
    assert rows["leaked"]["Better than the look-up table?"].text == "not counted"
    assert "not evidence of generalisation" in rows["leaked"]["Experiment"].tag
    said = lead(request.experiments, tables)
    assert said[0].startswith("In 1 of 1 experiment the best learned system")
    assert "leaked: leaked." in said[-1]


def test_the_best_system_stands_beside_the_references(tmp_path):
    _, rows = rows_of(*made(tmp_path, {"e": {}}))
    row = rows["e"]
    assert row["Best learned system"].text == "unet"
    assert row["Best learned system"].sort < row["Look-up table"].sort
    assert row["U-Net"].sort == row["Best learned system"].sort
    assert row["Patients"].text == "6"
    assert row["Experiment"].href == "#experiment-e"


def test_how_sure_it_is_is_said_with_a_p_value_only_from_6_patients_on(tmp_path):
    _, many = rows_of(*made(tmp_path / "many", {"e": {}}))
    sure = many["e"]["Better than the look-up table?"]
    assert sure.text == "yes"
    assert "better in 6 of 6; p = 0.031 after Holm" in sure.detail
    _, few = rows_of(*made(tmp_path / "few", {"e": {}}, patients=6))
    unsure = few["e"]["Better than the look-up table?"]
    assert unsure.text == "yes, in the mean"
    assert unsure.detail.endswith("better in 3 of 3; n < 6: no p value")


def test_a_system_below_the_look_up_table_does_not_win(tmp_path):
    request, tables = made(tmp_path, {"e": {"models": ["simko"]}})
    _, rows = rows_of(request, tables)
    assert rows["e"]["Better than the look-up table?"].text == "no"
    assert not rows["e"]["Best learned system"].best
    assert rows["e"]["Look-up table"].best
    assert rows["e"]["U-Net"].text == "–"
    assert lead(request.experiments, tables)[0].startswith("In 0 of 1 experiment")


def test_nothing_evaluated_has_rows_without_values():
    asked = options(
        {"pelvis": pelvis(2)}, {"e": {"dataset": "pelvis", "folds": 1, "models": ["unet"]}}
    )
    columns = ["experiment", "model", "metric", "region", "source", "target", "n", "patient"]
    columns += ["mean", "sd", "low", "high", "value", "group", "first", "second"]
    empty = Evaluated(*[pd.DataFrame(columns=columns)] * 7)
    request = Request.from_options(asked)
    _, rows = rows_of(request, empty)
    assert rows["e"]["Best learned system"].text == "–"
    assert lead(request.experiments, empty) == []
