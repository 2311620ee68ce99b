"""The tables of an experiment: who is ranked in them, and what is told of whom."""

import pandas as pd

from pipeline_lib.report.collect import Results
from pipeline_lib.report.forest import forest
from pipeline_lib.report.matrices import matrix_set
from pipeline_lib.report.request import Dataset, Experiment, Request
from pipeline_lib.report.run_tables import registration_table, split_table
from pipeline_lib.report.tables import more_table, transfer_table
from pipeline_lib.report.verdict import u_net_of, winner
from tests.report.fabricate import fabricate, options, pelvis


def made(folder, **more):
    values = {"dataset": "pelvis", "folds": 1, "models": ["unet", "worse"], **more}
    asked = options({"pelvis": pelvis()}, {"e": values})
    fabricate(folder, asked)
    return Request.from_options(asked).experiments[0], Results(folder).evaluated().summary


def test_oracle_and_ceilings_are_shown_but_win_nothing(tmp_path):
    experiment, summary = made(tmp_path)
    table = transfer_table(experiment, summary)
    kinds = {row[0].text: row[1].text for row in table.rows}
    assert kinds["Least squares"] == "oracle"
    assert kinds["Registration ceiling"] == kinds["Noise ceiling"] == "ceiling"
    assert kinds["Nearest training image"] == "baseline"
    for row in table.rows:
        assert [cell.best for cell in row[3:5]] == [row[0].text == "unet"] * 2


def test_the_columns_are_those_of_the_protocol_and_the_rest_is_folded(tmp_path):
    experiment, summary = made(tmp_path)
    table = transfer_table(experiment, summary)
    assert table.columns[3:] == (
        "NRMSE ↓", "PSNR (dB) ↑", "SSIM ↑", "MAE ↓", "NMI ↑", "Blur", "Bias",
    )  # fmt: skip
    assert "1: as sharp as the target" in table.caption
    more = more_table(experiment, summary)
    assert more.columns[3:] == ("3-D SSIM ↑",)
    assert set(more.csv.split("\n")[1].split(",")) >= {"ssim_3d", "e"}


def test_a_system_below_both_baselines_has_both_in_its_tag(tmp_path):
    table = transfer_table(*made(tmp_path))
    tags = {row[0].text: row[0].tag for row in table.rows}
    assert tags["worse"] == (
        "below the look-up table (NRMSE, PSNR); below the nearest training image (NRMSE, PSNR)"
    )
    assert tags["unet"] == tags["Least squares"] == ""


def test_every_caption_of_a_leaked_experiment_says_so(tmp_path):
    experiment, summary = made(tmp_path, leaked="slice")
    assert transfer_table(experiment, summary).caption.startswith("Leaked split")
    assert experiment.leaked_words.startswith("leaked split: slices of the same patient")


def test_forest_and_matrices_can_be_downloaded(tmp_path):
    experiment, summary = made(tmp_path)
    drawn = forest(experiment, summary, "nrmse")
    assert drawn.csv.startswith("model,kind,n,mean,sd,low,high\n")
    assert drawn.csv.count("\n") == 1 + len(drawn.rows)
    matrices = matrix_set(summary, experiment, ["unet"])
    assert matrices.csv.startswith("model,source,target,nrmse,n\n")
    assert matrices.csv.count("\n") == 1 + 9


def test_the_u_net_is_told_by_its_system():
    systems = {"plain": "unet_plain", "mine": "unet", "simko": "simko"}
    assert u_net_of(["simko", "plain", "mine"], systems) == "mine"
    assert u_net_of(["simko", "plain"], systems) == "plain"
    assert u_net_of(["simko"], systems) is None
    assert winner({}, "nrmse", ["simko"]) is None


def many_patients(count):
    dataset = Dataset("d", "bids", {f"sub-{n}": f"sub-{n}" for n in range(count)}, ("a", "b"), "a")
    split = pd.DataFrame(
        [(fold, f"sub-{n}", f"sub-{n}", "train" if n % 2 else "test", "", "")
         for fold in (0, 1) for n in range(count)],
        columns=["fold", "patient", "anatomy", "split", "slice", "contrast"],
    )  # fmt: skip
    moved = pd.DataFrame(
        [(f"sub-{n}", "b", "rigid", n / 100, n / 50, "estimated") for n in range(count)],
        columns=["session", "contrast", "transform", "residual_mm", "residual_p95_mm",
                 "residual_kind"],
    )  # fmt: skip
    experiment = Experiment("e", dataset, 2, ("unet",), (("a", "b"),), frozenset())
    return split_table(experiment, split), registration_table(dataset, moved)


def test_tables_of_many_patients_are_cut_and_say_so():
    for table in many_patients(5000):
        assert len(table.rows) == 100
        assert len(table.csv.splitlines()) == 1001
    split, registration = many_patients(5000)
    assert split.caption.endswith(
        "Shown are 100 of 5,000 patients. The CSV has 1,000 of 10,000 rows; all lie in split/e.csv."
    )
    assert split.rows[3][1].text == split.rows[3][2].text == "train"
    assert [row[0].text for row in registration.rows[:2]] == ["sub-4999", "sub-4998"]
    assert "all lie in quality/d" in registration.caption


def test_tables_of_few_patients_are_whole():
    split, registration = many_patients(100)
    assert len(split.rows) == len(registration.rows) == 100
    assert len(split.csv.splitlines()) == 201
    assert "Shown are" not in split.caption + registration.caption
