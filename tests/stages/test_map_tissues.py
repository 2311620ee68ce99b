"""The stage map_tissues on fabricated predictions."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predicted_maps import COLUMNS
from pipeline_lib.stages import map_tissues
from tests.evaluation.fabricate import patient, write_predictions

TRUTH = "patient,tissue,parameter,truth\nsub-1,fat,T1,0.4\nsub-1,fat,T2,\n"


@pytest.fixture
def folder(tmp_path):
    slices = patient("sub-1")
    slices.write(tmp_path / "slices/sub-1")
    write_predictions(
        tmp_path / "p", [slices], lambda s, _, target: np.asarray(s.images[:, target])
    )
    (tmp_path / "maps/sub-1").mkdir(parents=True)
    (tmp_path / "maps/sub-1/tissues.csv").write_text(TRUTH)
    return tmp_path


def add_maps(folder):
    path = folder / "p/predictions.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"map_sources": ["PDw"]}))
    np.save(folder / "p/maps.npy", np.full((3, 1, 3, 48, 48), 0.5, dtype=np.float16))


def run(monkeypatch, folder, *words, maps="maps/sub-1"):
    options = {"experiment": "simko2021", "model": "simko", "fold": 2}
    words = ["map_tissues", *words, "--options", json.dumps(options), "--predictions", folder / "p"]
    words += ["--slices", folder / "slices/sub-1", "--maps", folder / maps]
    monkeypatch.setattr("sys.argv", [*map(str, words), "--output", str(folder / "table.csv")])
    map_tissues.main()
    return pd.read_csv(folder / "table.csv")


def test_the_truth_stands_beside_the_predicted_values(folder, monkeypatch):
    add_maps(folder)
    table = run(monkeypatch, folder)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 3 * 3  # PDw and all; three tissues; three parameters
    assert set(table["fold"]) == {2}
    assert (table["mean"] == 0.5).all()
    fat = table[(table["tissue"] == "fat") & (table["source"] == "all")].set_index("parameter")
    assert fat["truth"].fillna(-1).to_dict() == {"PD": -1, "T1": 0.4, "T2": -1}


@pytest.mark.parametrize(("part", "rows"), [("test", 18), ("seen", 0)])
def test_a_split_leaves_the_test_patients_alone(folder, monkeypatch, part, rows):
    add_maps(folder)
    lines = ["fold,patient,anatomy,split,slice,contrast", "2,sub-0,sub-0,test,,"]
    lines += ["2,sub-1,sub-1,train,,"] if part == "seen" else []
    lines += [f"2,sub-1,sub-1,{part},,"]
    (folder / "split.csv").write_text("\n".join(lines) + "\n")
    assert len(run(monkeypatch, folder, "--split", folder / "split.csv")) == rows


def test_a_model_without_maps_has_the_columns_alone(folder, monkeypatch):
    table = run(monkeypatch, folder)
    assert tuple(table.columns) == COLUMNS
    assert table.empty


def test_what_is_missing_is_told(folder, monkeypatch):
    add_maps(folder)
    with pytest.raises(InputError, match="--maps names no folder of sub-1"):
        run(monkeypatch, folder, maps="maps/sub-2")
    (folder / "maps/sub-1/tissues.csv").write_text("patient,tissue\n")
    with pytest.raises(InputError, match=r"tissues\.csv has no 'parameter'"):
        run(monkeypatch, folder)
    (folder / "maps/sub-1/tissues.csv").unlink()
    with pytest.raises(InputError, match="run the stage fit_maps first"):
        run(monkeypatch, folder)
