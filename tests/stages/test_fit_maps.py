"""The stage fit_maps on a fabricated slice store."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages import fit_maps

CONTRASTS = {
    "T2w75": Sequence("SE", 0.075, 4.5),
    "T2w120": Sequence("SE", 0.12, 4.5),
    "T1w400": Sequence("SE", 0.008, 0.4),
    "T1w750": Sequence("SE", 0.008, 0.75),
    "PDw": Sequence("SE", 0.008, 4.5),
}
TISSUES = {1: ("fat", 0.9, 0.382, 0.068), 2: ("muscle", 0.8, 1.412, 0.050)}
GAIN, SCALE = 500.0, 400.0


def store(folder, contrasts=CONTRASTS, names=None):
    tissues = np.zeros((2, 32, 32), dtype=np.uint8)
    tissues[:, 4:16, 4:28], tissues[:, 16:28, 4:28] = 1, 2
    images = np.zeros((2, len(contrasts), 32, 32), dtype=np.float32)
    noise = np.random.default_rng(0).standard_normal(images.shape) * 0.01
    for label, (_, *values) in TISSUES.items():
        for index, sequence in enumerate(contrasts.values()):
            images[:, index][tissues == label] = signal(sequence, *values) * GAIN / SCALE
    PatientSlices(
        patient="sub-001",
        contrasts=contrasts,
        images=np.abs(images + noise).astype(np.float32),
        body=(tissues > 0).astype(np.uint8),
        tissues=tissues,
        tissue_names={1: "fat", 2: "muscle"} if names is None else names,
        sessions=("sub-001", "sub-001"),
        indices=(0, 1),
        scale=SCALE,
        spacing=(2.0, 2.0),
        geometry={},
    ).write(folder)
    return folder


def truth(folder):
    folder.mkdir()
    tissues = {n: {"pd": pd_, "t1": t1, "t2": t2} for n, pd_, t1, t2 in TISSUES.values()}
    (folder / "sub-001_truth.json").write_text(json.dumps({"gain": GAIN, "tissues": tissues}))
    return folder


def run(monkeypatch, *arguments):
    options = json.dumps({"signal": "exact"})
    monkeypatch.setattr("sys.argv", ["fit_maps", "--options", options, *map(str, arguments)])
    fit_maps.main()


def test_maps_and_table_agree_with_the_truth(tmp_path, monkeypatch):
    output = tmp_path / "maps"
    slices = store(tmp_path / "slices")
    run(monkeypatch, "--slices", slices, "--truth", truth(tmp_path / "t"), "--output", output)

    table = pd.read_csv(output / "tissues.csv")
    assert len(table) == 6
    np.testing.assert_allclose(table["median"], table["truth"], rtol=0.02)
    pd_of_fat = table[(table.tissue == "fat") & (table.parameter == "PD")]["truth"].item()
    assert pd_of_fat == pytest.approx(0.9 * GAIN / SCALE)
    t1 = np.load(output / "T1map.npy")
    assert t1.shape == (2, 32, 32)
    assert t1.dtype == np.float32
    assert np.median(t1[:, 17:27, 5:27]) == pytest.approx(1.412, rel=0.02)
    assert (t1[:, :4] == 0).all()


def test_without_truth_its_column_is_empty(tmp_path, monkeypatch):
    run(monkeypatch, "--slices", store(tmp_path / "slices"), "--output", tmp_path / "maps")
    assert pd.read_csv(tmp_path / "maps" / "tissues.csv")["truth"].isna().all()


def test_without_tissues_the_body_is_mapped(tmp_path, monkeypatch):
    run(monkeypatch, "--slices", store(tmp_path / "s", names={}), "--output", tmp_path / "maps")
    assert (np.load(tmp_path / "maps" / "T2map.npy")[:, 5:27, 5:27] > 0).all()
    assert len(pd.read_csv(tmp_path / "maps" / "tissues.csv")) == 0


def test_contrasts_that_cant_be_fitted_leave_no_output(tmp_path, monkeypatch):
    few = {name: CONTRASTS[name] for name in ("T2w75", "PDw")}
    with pytest.raises(InputError, match="at least 3 contrasts"):
        run(monkeypatch, "--slices", store(tmp_path / "s", few), "--output", tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_a_truth_without_gain_is_told(tmp_path, monkeypatch):
    folder = truth(tmp_path / "t")
    (folder / "sub-001_truth.json").write_text('{"tissues": {"fat": {"pd": 1}}}')
    slices = store(tmp_path / "slices")
    with pytest.raises(InputError, match="gain"):
        run(monkeypatch, "--slices", slices, "--truth", folder, "--output", tmp_path / "maps")
