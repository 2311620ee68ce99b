"""The stages evaluate, evaluate_baselines and evaluation on fabricated slices and predictions."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.statistics import COLUMNS as SUMMARY_COLUMNS
from pipeline_lib.evaluation.tables import COLUMNS
from pipeline_lib.stages import evaluate, evaluate_baselines, evaluation
from tests.evaluation.fabricate import NAMED_PAIRS, patient, write_predictions

PATIENTS = [patient(f"sub-00{number}") for number in (1, 2, 3)]
OPTIONS = {
    "seed": 1,
    "experiment": "e",
    "dataset": "d",
    "pairs": NAMED_PAIRS,
    "evaluate": {"bootstrap": 100},
}


@pytest.fixture
def work(tmp_path):
    """Three patients, of whom each is the test of one fold."""
    for slices in PATIENTS:
        slices.write(tmp_path / slices.patient)
    lines = ["fold,patient,anatomy,split"]
    for fold in range(3):
        for number, slices in enumerate(PATIENTS):
            part = "test" if number == fold else "train"
            lines.append(f"{fold},{slices.patient},{slices.patient},{part}")
    (tmp_path / "split.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def call(monkeypatch, stage, options, *arguments):
    command = ["stage", "--options", json.dumps(options), *map(str, arguments)]
    monkeypatch.setattr("sys.argv", command)
    stage.main()


def data(work, fold, output):
    stores = [work / slices.patient for slices in PATIENTS]
    return ("--slices", *stores, "--split", work / "split.csv", "--fold", fold, "--output", output)


def half_right(slices, source, target):
    return (slices.images[:, source] + slices.images[:, target]) / 2


def test_the_line_from_predictions_to_the_summary(work, monkeypatch):
    parts = []
    for fold, slices in enumerate(PATIENTS):
        predictions = write_predictions(work / f"p{fold}", [slices], half_right)
        options = {**OPTIONS, "model": "half"}
        parts.append(work / f"half-{fold}.parquet")
        arguments = (*data(work, fold, parts[-1]), "--predictions", predictions)
        call(monkeypatch, evaluate, options, *arguments)
        parts.append(work / f"baselines-{fold}.parquet")
        call(monkeypatch, evaluate_baselines, OPTIONS, *data(work, fold, parts[-1]))
    maps = work / "pelvis" / "sub-001"
    maps.mkdir(parents=True)
    (maps / "tissues.csv").write_text("patient,tissue\nsub-001,fat\n")
    call(
        monkeypatch,
        evaluation,
        OPTIONS,
        "--parts",
        *parts,
        "--maps",
        maps,
        "--output",
        work / "out",
    )

    metrics = pd.read_parquet(work / "out" / "metrics.parquet")
    assert list(metrics.columns) == COLUMNS
    assert len(metrics) == 3 * 5 * 9 * 3 * 5  # patients, models, pairs, regions, metrics
    assert metrics.groupby("patient")["fold"].nunique().eq(1).all()
    assert len(pd.read_csv(work / "out" / "metrics.csv")) == len(metrics)

    summary = pd.read_csv(work / "out" / "summary.csv")
    assert list(summary.columns) == SUMMARY_COLUMNS
    pooled = summary[(summary.source == "all") & (summary.region == "body")]
    mae = pooled[pooled.metric == "mae"].set_index("model")["mean"]
    assert mae["half"] == pytest.approx(mae["do_nothing"] / 2, rel=1e-2)
    assert mae["noise_ceiling"] < mae["look_up_table"] < mae["training_mean"]
    assert (pooled["n"] == 3).all()
    tissues = pd.read_csv(work / "out" / "tissues.csv")
    assert tissues.iloc[0].tolist() == ["pelvis", "sub-001", "fat"]


def test_models_of_one_pair_are_compared_with_the_others_on_the_pairs_of_the_experiment(
    work, monkeypatch
):
    options = {**OPTIONS, "pairs": [["T1w", "T2w"], ["PDw", "T2w"]]}
    folders = {"both": [(1, 0), (2, 0)], "single.T1w.T2w": [(1, 0)], "single.PDw.T2w": [(2, 0)]}
    parts = [work / "baselines"]
    call(monkeypatch, evaluate_baselines, options, *data(work, 0, parts[0]))
    for name, pairs in folders.items():
        predictions = write_predictions(work / name, PATIENTS[:1], half_right, pairs)
        model = {**options, "model": name.split(".")[0]}
        parts.append(work / f"{name}.parquet")
        arguments = (*data(work, 0, parts[-1]), "--predictions", predictions)
        call(monkeypatch, evaluate, model, *arguments)
    call(monkeypatch, evaluation, options, "--parts", *parts, "--output", work / "out")

    metrics = pd.read_parquet(work / "out" / "metrics.parquet")
    held = metrics.groupby("model")[["source", "target"]].value_counts().unstack([1, 2])
    assert held.shape == (6, 2)
    assert (held == 3 * 5).all(axis=None)  # regions, metrics
    summary = pd.read_csv(work / "out" / "summary.csv")
    values = summary.drop(columns="model").groupby(summary["model"])
    ours, theirs = (values.get_group(name).reset_index(drop=True) for name in ("both", "single"))
    pd.testing.assert_frame_equal(ours, theirs)

    with pytest.raises(InputError, match="single of e was not tested on PDw → T2w in fold 0"):
        call(monkeypatch, evaluation, options, "--parts", *parts[:-1], "--output", work / "less")


def test_predictions_of_a_pair_that_is_not_of_the_experiment_are_refused(work, monkeypatch):
    predictions = write_predictions(work / "p", PATIENTS[:1], half_right, [(1, 0), (0, 1)])
    options = {**OPTIONS, "pairs": [["T1w", "T2w"]], "model": "half"}
    arguments = (*data(work, 0, work / "o.parquet"), "--predictions", predictions)
    with pytest.raises(InputError, match="holds T2w → T1w, which is no pair of the experiment e"):
        call(monkeypatch, evaluate, options, *arguments)


def test_ranges_come_from_training_patients_alone(work, monkeypatch):
    changed = PATIENTS[0].images * 7
    np.save(work / "sub-001" / "images.npy", changed)
    for fold, spoiled in ((0, False), (1, True)):
        call(monkeypatch, evaluate_baselines, OPTIONS, *data(work, fold, work / "b.parquet"))
        table = pd.read_parquet(work / "b.parquet")
        largest = table[table.target == "PDw"]["data_range"].unique().item()
        assert (largest > 1.0) == spoiled


def test_predictions_of_other_patients_than_the_test_are_told(work, monkeypatch):
    predictions = write_predictions(work / "p", PATIENTS[1:2], half_right)
    arguments = (*data(work, 0, work / "o.parquet"), "--predictions", predictions)
    with pytest.raises(InputError, match="holds sub-002, but the test patients of fold 0"):
        call(monkeypatch, evaluate, {**OPTIONS, "model": "half"}, *arguments)
    assert not (work / "o.parquet").exists()


def test_a_patient_of_the_split_without_slices_is_told(work, monkeypatch):
    arguments = list(data(work, 0, work / "o.parquet"))
    arguments.remove(work / "sub-003")
    with pytest.raises(InputError, match="names sub-003, of whom no slices"):
        call(monkeypatch, evaluate_baselines, OPTIONS, *arguments)


def test_without_maps_the_tissue_table_is_empty(work, monkeypatch):
    part = work / "b.parquet"
    call(monkeypatch, evaluate_baselines, OPTIONS, *data(work, 0, part))
    call(monkeypatch, evaluation, OPTIONS, "--parts", part, "--maps", "--output", work / "out")
    assert pd.read_csv(work / "out" / "tissues.csv").empty
