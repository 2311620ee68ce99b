"""The stage evaluate_baselines on fabricated slices."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.tables import COLUMNS
from pipeline_lib.stages import evaluate_baselines
from tests.evaluation.fabricate import CONTRASTS, NAMED_PAIRS, NAMES, leaked, patient
from tests.stages.folds import call, write_split, write_stores

PATIENTS = [patient(f"sub-00{number}") for number in (1, 2, 3, 4)]
OPTIONS = {
    "seed": 1,
    "experiment": "e",
    "dataset": "d",
    "pairs": NAMED_PAIRS,
    "unseen": [],
    "paper": None,
    "signal": "exact",
    "reference": "PDw",
}
FROM_TRAINING = ["look_up_table", "training_mean", "nearest_copy"]
BASELINES = ["do_nothing", *FROM_TRAINING, "least_squares"]


@pytest.fixture
def work(tmp_path):
    """Four patients: two to train on, one of them seen in the test too, and two to test."""
    write_stores(tmp_path, PATIENTS)
    rows = [(0, "sub-001", "train"), (0, "sub-002", "train")]
    rows += [(0, "sub-003", "test"), (0, "sub-004", "test"), (0, "sub-002", "seen")]
    write_split(tmp_path / "split.csv", rows)
    return tmp_path


def table_of(work, monkeypatch, *more, options=OPTIONS, patients=PATIENTS):
    stores = [work / slices.patient for slices in patients]
    output = work / "baselines.parquet"
    arguments = ("--slices", *stores, "--split", work / "split.csv", "--fold", 0, *more)
    call(monkeypatch, evaluate_baselines, options, *arguments, "--output", output)
    return pd.read_parquet(output)


def value(table, model, group="test", metric="nrmse", pair=("T1w", "T2w"), region="body"):
    chosen = table[
        (table["model"] == model)
        & (table["group"] == group)
        & (table["metric"] == metric)
        & (table["source"] == pair[0])
        & (table["target"] == pair[1])
        & (table["region"] == region)
    ]
    return chosen["value"].mean()


def test_all_baselines_for_held_out_and_for_seen_patients(work, monkeypatch):
    table = table_of(work, monkeypatch)
    assert list(table.columns) == COLUMNS
    assert list(table["model"].unique()) == [*BASELINES, "noise_ceiling"]
    held = table.groupby("group")["patient"].unique().map(list).to_dict()
    assert held == {"test": ["sub-003", "sub-004"], "seen": ["sub-002"]}
    assert table["parameters"].unique().tolist() == ["seen"]
    assert table.groupby(["model", "group", "patient"]).size().nunique() == 1
    errors = [
        value(table, model)
        for model in ("noise_ceiling", "look_up_table", "training_mean", "do_nothing")
    ]
    assert errors == sorted(errors)
    assert value(table, "nearest_copy", "seen") == 0
    # Three parameters fit three contrasts exactly.
    assert value(table, "least_squares") == pytest.approx(0, abs=1e-4)
    assert 0 < value(table, "nearest_copy") < value(table, "do_nothing")


def test_images_of_test_patients_change_nothing_for_the_others(work, monkeypatch):
    before = table_of(work, monkeypatch)
    images = PATIENTS[3].images
    wild = 50 * images**3 + np.random.default_rng(0).random(images.shape)
    replace(PATIENTS[3], images=wild).write(work / "sub-004")
    after = table_of(work, monkeypatch)
    others = before["patient"] != "sub-004"
    pd.testing.assert_frame_equal(before[others], after[others], check_exact=True)
    assert (before["data_range"] == after["data_range"]).all()
    assert value(before, "do_nothing") != value(after, "do_nothing")


def test_an_unseen_contrast_is_marked_and_unknown_to_the_baselines(work, monkeypatch):
    seen = table_of(work, monkeypatch)
    table = table_of(work, monkeypatch, options={**OPTIONS, "unseen": ["T2w"]})
    unseen = (table["source"] == "T2w") | (table["target"] == "T2w")
    assert (table["parameters"] == np.where(unseen, "unseen", "seen")).all()
    for model in FROM_TRAINING:
        assert value(table, model) > value(seen, model)
        assert value(table, model, pair=("T1w", "PDw")) == value(seen, model, pair=("T1w", "PDw"))
    assert (table["data_range"] == seen["data_range"]).all()
    assert value(table, "least_squares") == value(seen, "least_squares")


def write_registration(folder, **residuals):
    folder.mkdir(parents=True)
    entries = {name: {"residual_mm": each} for name, each in residuals.items()}
    (folder / "registration.json").write_text(json.dumps(entries))
    return folder


def test_the_registration_ceiling_needs_the_registration_of_all(work, monkeypatch):
    folders = [
        write_registration(work / "register" / slices.patient, PDw=0.0, T1w=0.0, T2w=1.0)
        for slices in PATIENTS
    ]
    table = table_of(work, monkeypatch, "--registered", *folders)
    assert list(table["model"].unique())[-1] == "registration_ceiling"
    assert value(table, "registration_ceiling", metric="psnr", pair=("T1w", "PDw")) == np.inf
    assert 0 < value(table, "registration_ceiling") < value(table, "do_nothing")
    assert value(table, "registration_ceiling", "seen") > 0
    some = table_of(work, monkeypatch, "--registered", *folders[:3])
    assert "registration_ceiling" not in set(some["model"])
    assert "registration_ceiling" not in set(table_of(work, monkeypatch, "--registered")["model"])


def test_a_protocol_that_can_not_be_fitted_has_no_oracle(tmp_path, monkeypatch, caplog):
    two = {name: CONTRASTS[name] for name in NAMES[:2]}
    patients = [patient(f"sub-00{number}", contrasts=two) for number in (1, 2)]
    write_stores(tmp_path, patients)
    write_split(tmp_path / "split.csv", [(0, "sub-001", "train"), (0, "sub-002", "test")])
    options = {**OPTIONS, "pairs": [["T1w", "T2w"]]}
    with caplog.at_level("INFO"):
        table = table_of(tmp_path, monkeypatch, options=options, patients=patients)
    assert list(table["model"].unique()) == [*BASELINES[:-1], "noise_ceiling"]
    assert "no least_squares: PD, T1 and T2 need at least 3 contrasts" in caplog.text


def test_of_another_dataset_only_what_needs_no_training_is_scored(work, monkeypatch):
    external = write_stores(work / "other", PATIENTS[:1])
    table = table_of(work, monkeypatch, "--external", *external)
    assert list(table["model"].unique()) == ["do_nothing", "least_squares"]
    assert table["group"].unique().tolist() == ["external"]
    assert table["data_range"].unique().tolist() == [1.0]
    assert table["patient"].unique().tolist() == ["sub-001"]


@pytest.mark.parametrize("pairs", [NAMED_PAIRS, [["PDw", "T2w"], ["PDw", "T1w"]]])
def test_a_leaked_split_tests_the_images_that_were_not_trained_on(tmp_path, monkeypatch, pairs):
    head = patient("head", slices=12)
    training, test = leaked(head)
    write_stores(tmp_path, [head])
    rows = [
        (0, "head", part, row, NAMES[contrast])
        for part, images in (("train", training), ("test", test))
        for row, contrast in np.argwhere(images.held)
    ]
    write_split(tmp_path / "split.csv", rows)
    table = table_of(tmp_path, monkeypatch, options={**OPTIONS, "pairs": pairs}, patients=[head])
    assert set(BASELINES) < set(table["model"])
    assert table.groupby("model").size().nunique() == 1
    assert {*zip(table["source"], table["target"], strict=True)} == set(map(tuple, pairs))
    target = head.images[:, 0]
    rows = test.rows(0) if len(pairs) == 2 else test.rows(0, 2)
    error = (head.images[:, 2] - target)[rows][head.body[rows] > 0]
    expected = np.abs(error).mean()
    found = value(table, "do_nothing", metric="mae", pair=("PDw", "T2w"))
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_patient_of_the_split_without_slices_is_told(work, monkeypatch):
    with pytest.raises(InputError, match="names sub-004, of which there are no slices"):
        table_of(work, monkeypatch, patients=PATIENTS[:3])
    assert not (work / "baselines.parquet").exists()
