"""The verdict, and the text around it."""

import copy
import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.compare.comparison import compare
from pipeline_lib.compare.folders import read_folder
from pipeline_lib.compare.mapping import as_mapping
from pipeline_lib.compare.words import as_text, verdict_sentence
from tests.compare.fabricate import CONFIGURATION, SPLIT, VALUES, metrics, results


@pytest.fixture
def compared(tmp_path):
    """Compare a plain results folder with one that has changes."""

    def make(tolerance=0.0, **changes):
        folders = results(tmp_path / "a"), results(tmp_path / "b", **changes)
        return compare(*map(read_folder, folders), tolerance)

    return make


def changed(**settings):
    configuration = copy.deepcopy(CONFIGURATION)
    configuration["models"]["unet"] |= settings
    return configuration


WORSE = metrics({pair: value + 0.1 for pair, value in VALUES.items()})


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, "same", "They are the same: what was set, what ran and all 74 numbers."),
        ({"configuration": None}, "same", "what ran and all 74 numbers. What was set is not known"),
        ({"commit": "456def"}, "same", "Their commit, versions or machine differ."),
        (
            {"configuration": changed(steps=400)},
            "set",
            "They differ only in what was set: all 74 numbers that both hold are the same.",
        ),
        ({"split": SPLIT + "1,x,x,test\n"}, "ran", "They differ only in what ran: all 74"),
        (
            {"split": SPLIT + "1,x,x,test\n", "configuration": changed(steps=400)},
            "ran",
            "They differ in what was set and in what ran: all 74",
        ),
        ({"t1": 1.5}, "numbers", "They differ in numbers: 2 of the 74 that both hold."),
        (
            {"t1": 1.5, "configuration": changed(steps=400)},
            "numbers",
            "2 of the 74 that both hold; also in what was set.",
        ),
    ],
)
def test_the_verdict(compared, changes, verdict, words):
    comparison = compared(**changes)
    assert comparison.verdict == verdict
    assert words in verdict_sentence(comparison)


def test_numbers_within_the_tolerance_are_the_same(compared):
    comparison = compared(tolerance=0.1, t1=1.5)
    assert comparison.verdict == "same"
    assert "within a relative difference of 0.1" in verdict_sentence(comparison)


def test_settings_are_told_one_by_one(compared):
    configuration = changed(steps=400, loss="l1", more={"a": 1, "b": 2})
    configuration["experiments"]["pelvis"]["pairs"] = [["T1w", "T2w"], ["T1w", "PDw"]]
    text = as_text(compared(configuration=configuration, dirty=True), limit=20)
    for line in (
        'experiments.pelvis.pairs: entries only in A: [["T2w", "T1w"]], only in B:',
        "models.unet.steps: A: 300, B: 400",
        "models.unet.loss: A: null, B: l1",
        "models.unet.more: only in B: a section of 2 settings",
        "dirty: A: false, B: true",
        "B ran with changes that were in no commit.",
    ):
        assert line in text


def test_only_so_many_differences_are_told_unless_all_are_asked_for(compared):
    comparison = compared(configuration=changed(**{f"x{i}": i for i in range(30)}))
    assert "x19:" in as_text(comparison, 20)
    assert "x20:" not in as_text(comparison, 20)
    assert "... and 10 more (--all shows them)" in as_text(comparison, 20)
    assert "x29:" in as_text(comparison, None)
    assert "more (--all" not in as_text(comparison, None)


def test_systems_and_patients_are_tabulated(compared):
    lines = as_text(compared(table=WORSE), 20).splitlines()
    rows = [line.split() for line in lines]
    assert ["unet", "NRMSE", "2,", "2", "0.25", "0.35", "+0.1", "apart"] in rows
    assert ["unet", "NRMSE", "2", "+0.1", "0", "2"] in rows  # nobody better, two worse
    assert ["unet", "PSNR", "2", "-1", "0", "2"] in rows


def test_what_is_the_same_is_told_shortly(compared):
    text = as_text(compared(), 20)
    assert "Configuration (7 settings in A): no difference." in text
    assert "Both hold the same experiments, models, patients and files." in text
    assert "Means over all pairs (body): all 3 are the same." in text


def test_every_line_fits_in_80_columns(compared):
    name = "an_experiment_with_a_name_that_nobody_would_give_but_somebody_does"
    table = pd.concat([WORSE, metrics(model=name * 2), metrics(experiment=name)])
    table.loc[0, "value"] = np.inf
    changes = {"configuration": changed(steps="x" * 300, **{name * 3: 1}), "t1": 1e-5}
    comparison = compared(table=table, versions={name: name * 2}, **changes)
    for limit in (3, None):
        assert max(map(len, as_text(comparison, limit).splitlines())) <= 80


def test_folders_without_an_evaluation_hold_no_numbers(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"configuration": {}}))
    comparison = compare(read_folder(tmp_path / "a"), read_folder(tmp_path / "b"))
    assert "what ran (there are no numbers)" in verdict_sentence(comparison)
    assert "A holds no split tables" in as_text(comparison, 20)


def test_tables_without_a_row_are_read_and_told(tmp_path):
    first, second = (results(tmp_path / name) for name in "ab")
    rows = (first / "evaluation/summary.csv").read_text()
    for folder, content in ((first, rows.splitlines()[0] + "\n"), (second, rows)):
        (folder / "evaluation/external.csv").write_text(content)
    for one, other, verdict in ((first, first, "same"), (first, second, "ran")):
        comparison = compare(read_folder(one), read_folder(other))
        assert comparison.verdict == verdict
        assert "external.csv" in as_text(comparison, 20)


def test_json_holds_everything_and_no_number_that_json_has_not(compared):
    table = WORSE.copy()
    table.loc[table["metric"] == "psnr", "value"] = np.inf
    comparison = compared(table=table, configuration=changed(more=1))
    text = json.dumps(as_mapping(comparison), allow_nan=False)
    found = json.loads(text)
    assert found["verdict"] == "numbers"
    assert found["settings"] == [{"name": "models.unet.more", "b": 1}]
    metric = found["tables"]["metrics.parquet"]
    assert metric["columns"] == {"value": 12, "data_range": 0}
    assert len(metric["differences"]) == 12
    assert metric["differences"][0]["b"] == metric["differences"][0]["relative"] == "inf"
    assert found["paired"][0]["worse"] == 2
