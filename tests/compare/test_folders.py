"""Results folders, old and new, whole and broken."""

import json

import pandas as pd
import pytest

from pipeline_lib.compare.folders import find_results, read_folder
from pipeline_lib.errors import InputError
from tests.compare.fabricate import metrics, results


def test_the_folder_of_a_run_is_named_or_the_one_above(tmp_path):
    folder = results(tmp_path / "run/results")
    assert find_results(folder) == find_results(tmp_path / "run") == folder


@pytest.mark.parametrize(("name", "words"), [("", "is no results folder"), ("x", "is no folder")])
def test_any_other_folder_is_refused(tmp_path, name, words):
    with pytest.raises(InputError, match=words):
        read_folder(tmp_path / name)


def test_a_run_is_read_with_its_trainings(tmp_path):
    folder = results(tmp_path)
    for fold, machine in enumerate(("CPU", "GPU")):
        card = folder / f"train/pelvis/unet/fold-{fold}/card.json"
        card.parent.mkdir(parents=True)
        card.write_text(json.dumps({"commit": "0123abc", "torch": "2.13.0", "machine": machine}))
    read = read_folder(folder)
    assert read.configuration["seed"] == 2021
    assert read.origin == {
        "commit": "0123abc",
        "dirty": False,
        "versions": {"snakemake": "9.27.1"},
        "commits of the trainings": "0123abc",
        "torch of the trainings": "2.13.0",
        "machines of the trainings": "CPU, GPU",
    }
    assert set(read.tables) == {"summary.csv", "tissues.csv", "metrics.parquet"}


def test_an_older_run_tested_held_out_patients_and_recorded_no_configuration(tmp_path):
    read = read_folder(results(tmp_path, metrics(old=True), configuration=None))
    assert read.configuration is None
    assert set(read.tables["metrics.parquet"]["group"]) == {"test"}


def test_names_that_look_like_numbers_stay_names(tmp_path):
    table = metrics({("007", "1", "2"): 0.1})
    read = read_folder(results(tmp_path, table))
    assert "007" in set(read.tables["metrics.parquet"]["patient"])
    assert "1" in set(read.tables["summary.csv"]["source"])


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("run.json", "[]", "run.json holds no settings"),
        ("run.json", "{", "run.json is not valid JSON"),
        ("evaluation/summary.csv", "", "summary.csv is no table"),
        ("evaluation/summary.csv", "experiment,model\na,b\n", "summary.csv lacks the column"),
        ("evaluation/metrics.parquet", "no", "metrics.parquet is no Parquet file"),
        ("split/pelvis.csv", "patient,split\na,test\n", "pelvis.csv lacks the column fold"),
    ],
)
def test_a_broken_file_is_told_in_a_sentence(tmp_path, file, content, words):
    folder = results(tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=words):
        read_folder(folder)


def test_a_row_that_is_there_twice_is_refused(tmp_path):
    table = metrics()
    folder = results(tmp_path, table)
    pd.concat([table, table]).to_parquet(folder / "evaluation/metrics.parquet")
    with pytest.raises(InputError, match=r"two rows of pelvis, pelvis, unet"):
        read_folder(folder)
