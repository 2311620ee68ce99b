"""Tissue values of predicted maps, from maps that are known."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predicted_maps import OF_PATIENT, predicted_tissues
from pipeline_lib.evaluation.predictions import Predictions
from tests.evaluation.fabricate import patient, write_predictions

SLICES = patient("sub-1")
SOURCES = ["T1w", "PDw"]


def predict(slices, source, target):
    return np.asarray(slices.images[:, target])


def write(folder, maps):
    write_predictions(folder, [patient("sub-0"), SLICES], predict)
    path = folder / "predictions.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"map_sources": SOURCES}))
    np.save(folder / "maps.npy", np.concatenate([np.zeros_like(maps), maps]).astype(np.float16))
    return Predictions(folder)


@pytest.fixture(scope="module")
def maps():
    """PD, T1 and T2 of fat 1, 2 and 4 from T1w, and 3, 6 and 12 from PDw; but not at its rim."""
    fat = np.asarray(SLICES.tissues) == 1
    inner = fat & np.roll(fat, 1, 1) & np.roll(fat, -1, 1) & np.roll(fat, 1, 2)
    inner &= np.roll(fat, -1, 2)
    values = np.where(fat, 100.0, 0.0)[:, None, None].repeat(2, 1).repeat(3, 2)
    for source, factor in enumerate((1, 3)):
        for parameter, value in enumerate((1, 2, 4)):
            values[:, source, parameter][inner] = factor * value
    return values, int(inner.sum())


def test_values_are_those_of_the_core(tmp_path, maps):
    values, count = maps
    table = predicted_tissues(write(tmp_path / "p", values), SLICES, {("fat", "T1"): 2.5})
    assert tuple(table.columns) == OF_PATIENT
    assert set(table["patient"]) == {"sub-1"}
    fat = table[table["tissue"] == "fat"].set_index(["source", "parameter"])
    assert list(fat.index.get_level_values("source").unique()) == ["T1w", "PDw", "all"]
    assert fat.loc["T1w"]["mean"].to_dict() == {"PD": 1, "T1": 2, "T2": 4}
    assert fat.loc["PDw"]["median"].to_dict() == {"PD": 3, "T1": 6, "T2": 12}
    assert (fat.loc["PDw"]["sd"] == 0).all()
    assert (fat.loc["T1w"]["n"] == count).all()
    assert (fat.loc["all"]["n"] == 2 * count).all()
    assert fat.loc["all"]["mean"].to_dict() == {"PD": 2, "T1": 4, "T2": 8}
    # Half of the voxels at 2 and half at 6: the spread is 2.
    assert fat.loc[("all", "T1"), "sd"] == pytest.approx(2, rel=1e-3)
    assert fat["truth"].dropna().tolist() == [2.5] * 3


def test_slices_that_were_not_predicted_are_left_out(tmp_path, maps):
    write(tmp_path / "p", maps[0])
    kept = [0, 1, 2, 4]
    for name in ("predictions.npy", "maps.npy"):
        np.save(tmp_path / "p" / name, np.load(tmp_path / "p" / name)[kept])
    index = pd.read_csv(tmp_path / "p/index.csv", dtype=str).iloc[kept]
    index.to_csv(tmp_path / "p/index.csv", index=False)
    table = predicted_tissues(Predictions(tmp_path / "p"), SLICES, {})
    fat = table[(table["tissue"] == "fat") & (table["source"] == "T1w")]
    assert (fat["n"] == maps[1] / 3).all()


def test_a_model_without_maps_has_an_empty_table(tmp_path):
    write_predictions(tmp_path / "p", [SLICES], predict)
    table = predicted_tissues(Predictions(tmp_path / "p"), SLICES, {})
    assert tuple(table.columns) == OF_PATIENT
    assert table.empty


def test_other_slices_are_told(tmp_path, maps):
    with pytest.raises(InputError, match="which are 2; predict again"):
        predicted_tissues(write(tmp_path / "p", maps[0]), patient("sub-1", slices=2), {})
