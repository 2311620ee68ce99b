"""The stage fit_maps on a fabricated slice store."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json
from pipeline_lib.imaging.sidecars import sidecar_of
from pipeline_lib.quantify.derivatives import NAMES, path_of, read_map
from pipeline_lib.quantify.fit import fit
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages import fit_maps, fit_maps_dataset

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
        geometry={"sub-001": {"affine": np.diag([5.0, 2.0, 2.0, 1.0]).tolist(), "slices": 3}},
    ).write(folder)
    return folder


def truth(folder):
    folder.mkdir()
    tissues = {n: {"pd": pd_, "t1": t1, "t2": t2} for n, pd_, t1, t2 in TISSUES.values()}
    (folder / "sub-001_truth.json").write_text(json.dumps({"gain": GAIN, "tissues": tissues}))
    return folder


def run(monkeypatch, *arguments, **settings):
    options = json.dumps(
        {"signal": "exact", "gains": {}, "noise": None, "rician": False} | settings
    )
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
    assert (table["converged"] == 1).all()
    opened = PatientSlices.open(slices)
    t1 = read_map(output, opened, "T1")
    assert t1.shape == (2, 32, 32)
    assert t1.dtype == np.float32
    assert np.median(t1[:, 17:27, 5:27]) == pytest.approx(1.412, rel=0.02)
    assert (t1[:, :4] == 0).all()


def test_the_maps_on_disk_are_what_the_fit_gave(tmp_path, monkeypatch):
    folder = store(tmp_path / "slices")
    run(monkeypatch, "--slices", folder, "--output", tmp_path / "fit_maps/pelvis/sub-001")
    slices = PatientSlices.open(folder)
    inside = slices.tissues > 0
    signals = np.moveaxis(slices.images, 1, -1)[inside]
    maps = fit(signals, list(CONTRASTS.values()))
    for name in NAMES:
        found = read_map(tmp_path / "fit_maps/pelvis/sub-001", slices, name)
        wanted = getattr(maps, name.lower()).astype(found.dtype)
        np.testing.assert_array_equal(found[inside], wanted)
        assert (found[~inside] == 0).all()
    sidecar = read_json(sidecar_of(path_of(tmp_path / "fit_maps/pelvis/sub-001", "sub-001", "T1")))
    assert sidecar["Sources"] == ["../../slices"]
    assert sidecar["NoiseStandardDeviation"] == pytest.approx(0.01, rel=0.1)
    assert list(sidecar["Contrasts"]) == list(CONTRASTS)


def test_gains_undo_what_the_scanner_did_to_a_contrast(tmp_path, monkeypatch):
    folder = store(tmp_path / "slices")
    images = np.load(folder / "images.npy")
    images[:, 0] *= 1.5
    np.save(folder / "images.npy", images)
    medians = {}
    for name, gains in (("with", {"T2w75": 1.5}), ("without", {})):
        output = tmp_path / name
        run(monkeypatch, "--slices", folder, "--output", output, gains=gains)
        table = pd.read_csv(output / "tissues.csv").set_index(["tissue", "parameter"])
        medians[name] = table.loc[("muscle", "T2"), "median"]
    assert medians["with"] == pytest.approx(0.05, rel=0.02)
    assert abs(medians["without"] / 0.05 - 1) > 0.05


def test_the_noise_is_in_the_unit_of_the_raw_scans(tmp_path, monkeypatch):
    folder = store(tmp_path / "slices")
    for name, settings in (("a", {}), ("b", {"noise": 0.02 * SCALE, "rician": True})):
        run(monkeypatch, "--slices", folder, "--output", tmp_path / name, **settings)
    tables = [pd.read_csv(tmp_path / name / "tissues.csv") for name in "ab"]
    ratio = tables[1]["bound_relative"] / tables[0]["bound_relative"]
    np.testing.assert_allclose(ratio, 2.0, rtol=0.1)  # the noise of the images is 0.01
    np.testing.assert_allclose(tables[1]["median"], tables[0]["median"], rtol=0.05)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"gains": {"T2w57": 2.0}}, r"T2w57, which is none of .*did you mean T2w75\?"),
        ({"rician": True}, "fit_maps.rician needs fit_maps.noise"),
    ],
)
def test_settings_that_do_not_fit_are_told(tmp_path, monkeypatch, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        run(monkeypatch, "--slices", store(tmp_path / "s"), "--output", tmp_path / "m", **settings)
    assert not (tmp_path / "m").exists()


def test_without_truth_its_column_is_empty(tmp_path, monkeypatch):
    run(monkeypatch, "--slices", store(tmp_path / "slices"), "--output", tmp_path / "maps")
    assert pd.read_csv(tmp_path / "maps" / "tissues.csv")["truth"].isna().all()


def test_without_tissues_the_body_is_mapped(tmp_path, monkeypatch):
    folder = store(tmp_path / "s", names={})
    run(monkeypatch, "--slices", folder, "--output", tmp_path / "maps")
    t2 = read_map(tmp_path / "maps", PatientSlices.open(folder), "T2")
    assert (t2[:, 5:27, 5:27] > 0).all()
    assert len(pd.read_csv(tmp_path / "maps" / "tissues.csv")) == 0


def test_without_a_voxel_to_fit_one_sentence_says_so(tmp_path, monkeypatch):
    folder = store(tmp_path / "s")
    np.save(folder / "tissues.npy", np.zeros((2, 32, 32), dtype=np.uint8))
    with pytest.raises(InputError, match="no voxel to fit"):
        run(monkeypatch, "--slices", folder, "--output", tmp_path / "maps")


def test_the_dataset_becomes_a_derivative(tmp_path, monkeypatch):
    options = json.dumps({"dataset": "pelvis"})
    words = ["fit_maps_dataset", "--options", options, "--output", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    fit_maps_dataset.main()
    description = read_json(tmp_path / "dataset_description.json")
    assert (description["Name"], description["DatasetType"]) == (
        "Fitted maps of pelvis", "derivative"
    )  # fmt: skip


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
