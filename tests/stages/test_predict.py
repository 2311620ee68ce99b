"""Whom and which pairs a model is made to predict; see also tests/training/test_systems."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training import prediction
from pipeline_lib.training.card import read_card
from tests.training.stores import CONTRASTS, SLICES, write_patient
from tests.training.systems import (
    ALL_PAIRS,
    ONE_PAIR,
    arguments,
    make_data,
    predict_arguments,
    run_here,
    tiny,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = make_data(tmp_path_factory.mktemp("predict"))
    for system in ("unet", "unet_plain"):
        run_here(arguments(folder, tiny(system, steps=3), system))
    return folder


@pytest.fixture
def foreign(data):
    """A patient of another size and number of slices, whose contrasts have other names."""
    made = data / "made"
    store = write_patient(made, "sub-90", seed=5, slices=2, size=48)
    names = ("first", "second", "third")
    renamed = dict(zip(names, CONTRASTS.values(), strict=True))
    replace(store, contrasts=renamed).write(data / "foreign" / "sub-90")
    yield data / "foreign" / "sub-90"
    shutil.rmtree(data / "foreign")


def predict(data, model, *more, split="split.csv", **options):
    """Predict, and give predictions, index and description."""
    shutil.rmtree(data / "predicted", ignore_errors=True)
    command = predict_arguments(data, model, "predicted")
    command[command.index("--options") + 1] = json.dumps(options)
    command[command.index("--split") + 1] = str(data / split)
    run_here([*command, *map(str, more)])
    output = data / "predicted"
    said = json.loads((output / "predictions.json").read_text())
    return np.load(output / "predictions.npy"), pd.read_csv(output / "index.csv"), said


def test_seen_patients_are_predicted_after_the_test_patients(data):
    table = pd.read_csv(data / "split.csv")
    seen = table[table.patient == "sub-02"].assign(split="seen")
    pd.concat([seen, table]).to_csv(data / "seen.csv", index=False)
    predictions, index, _ = predict(data, "unet", split="seen.csv")
    assert list(index.patient) == ["sub-04"] * SLICES + ["sub-02"] * SLICES
    alone, _, _ = predict(data, "unet")
    assert np.array_equal(predictions[:SLICES], alone)
    assert len(predictions) == 2 * SLICES and not np.array_equal(predictions[SLICES:], alone)


def test_pairs_may_be_asked_for(data):
    every, _, said = predict(data, "unet")
    assert said["pairs"] == ALL_PAIRS
    asked = [ALL_PAIRS[4], ALL_PAIRS[1]]
    predictions, _, said = predict(data, "unet", pairs=asked)
    assert said["pairs"] == asked
    np.testing.assert_allclose(predictions, every[:, [4, 1]], atol=1e-3)


def test_patients_of_another_dataset_are_predicted_instead(data, foreign):
    pairs = [["second", "third"], ["third", "first"]]
    predictions, index, said = predict(data, "unet", "--external", foreign, pairs=pairs)
    assert list(index.patient) == ["sub-90"] * 2
    assert said["contrasts"] == ["first", "second", "third"] and said["pairs"] == pairs
    assert predictions.shape == (2, 2, 48, 48)
    # By its sequences and no name: the same images under the trained names give the same.
    own = [["T2w", "T1w"], ["T1w", "PDw"]]
    known, _, _ = predict(data, "unet", "--external", data / "made/sub-90", pairs=own)
    assert np.array_equal(predictions, known)


def test_a_contrast_that_an_external_patient_has_not_is_told(data, foreign):
    with pytest.raises(InputError, match="PDw, which sub-90 has not; it has first, second, third"):
        predict(data, "unet", "--external", foreign)
    with pytest.raises(InputError, match="PDw, which sub-90 has not"):
        predict(data, "unet_plain", "--external", foreign)


def test_a_model_of_one_pair_predicts_that_pair_alone(data, foreign):
    predictions, _, said = predict(data, "unet_plain", "--external", data / "made/sub-90")
    assert said["pairs"] == ONE_PAIR and predictions.shape == (2, 1, 48, 48)
    predict(data, "unet_plain", pairs=ONE_PAIR)
    for pairs in ([["second", "third"]], [["PDw", "T1w"]], [*ONE_PAIR, ["T2w", "PDw"]]):
        with pytest.raises(
            InputError, match="unet_plain learnt PDw to T2w alone and can't predict"
        ):
            predict(data, "unet_plain", "--external", foreign, pairs=pairs)
    assert read_card(data / "unet_plain")["one_pair"] and not read_card(data / "unet")["one_pair"]


@pytest.mark.parametrize("at_once", [1, 4, 5])
def test_however_many_images_fit_at_once_the_predictions_are_the_same(data, monkeypatch, at_once):
    expected, _, _ = predict(data, "unet")
    monkeypatch.setattr(prediction, "IMAGES_AT_ONCE", at_once)
    predictions, index, _ = predict(data, "unet")
    np.testing.assert_allclose(predictions, expected, atol=1e-3)
    store = PatientSlices.open(data / "slices" / "sub-04")
    assert list(index["slice"]) == list(range(len(store)))
