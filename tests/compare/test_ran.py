"""What only one of two folders holds."""

import pandas as pd

from pipeline_lib.compare.folders import read_folder
from pipeline_lib.compare.ran import OnlyIn, what_ran
from tests.compare.fabricate import SPLIT, VALUES, metrics, results


def ran(tmp_path, **changes):
    folders = results(tmp_path / "a"), results(tmp_path / "b", **changes)
    return what_ran(*map(read_folder, folders))


def test_nothing_differs_between_two_runs_of_the_same(tmp_path):
    assert ran(tmp_path) == []


def test_a_patient_in_another_part_of_the_split(tmp_path):
    found = ran(tmp_path, split=SPLIT.replace("sub-3,test", "sub-3,validation"))
    assert found == [
        OnlyIn("patient", "test of pelvis, fold 0", ("sub-3",), "A"),
        OnlyIn("patient", "validation of pelvis, fold 0", ("sub-3",), "B"),
    ]


def test_images_are_told_where_images_were_split(tmp_path):
    table = "fold,patient,anatomy,split,slice,contrast\n0,s,s,train,0,T1w\n0,s,s,{},1,T2w\n"
    first = results(tmp_path / "a", split=table.format("test"))
    second = results(tmp_path / "b", split=table.format("train"))
    found = what_ran(read_folder(first), read_folder(second))
    assert OnlyIn("patient", "train of pelvis, fold 0", ("s 1 T2w",), "B") in found


def test_a_fold_is_told_as_a_whole(tmp_path):
    found = ran(tmp_path, split=SPLIT + "1,sub-1,sub-1,test\n")
    assert found == [OnlyIn("fold", "pelvis", ("1",), "B")]


def test_models_pairs_and_experiments(tmp_path):
    short = {pair: value for pair, value in VALUES.items() if pair[1] == "T1w"}
    table = pd.concat([metrics(short, model="simko"), metrics(experiment="more")])
    assert ran(tmp_path, table=table) == [
        OnlyIn("experiment", "", ("more",), "B"),
        OnlyIn("model", "pelvis", ("unet",), "A"),
        OnlyIn("model", "pelvis", ("simko",), "B"),
        OnlyIn("pair", "pelvis", ("T2w → T1w",), "A"),
    ]


def test_files_and_columns_of_the_evaluation(tmp_path):
    first = results(tmp_path / "a", metrics(old=True))
    second = results(tmp_path / "b")
    (second / "evaluation/other.csv").write_text("which no version knows")
    assert what_ran(read_folder(first), read_folder(second)) == [
        OnlyIn("file", "", ("other.csv",), "B"),
        OnlyIn("column", "metrics.parquet", ("parameters",), "B"),
    ]


def test_patients_of_a_folder_without_split_tables_are_not_compared(tmp_path):
    first, second = results(tmp_path / "a"), results(tmp_path / "b")
    (second / "split/pelvis.csv").unlink()
    assert what_ran(read_folder(first), read_folder(second)) == []
