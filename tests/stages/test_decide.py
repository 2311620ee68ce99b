"""The stage decide on tiny virtual patients that neither moved nor had a bias field."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.bids import scan_name
from pipeline_lib.imaging.scans import read_label_map, read_scan
from pipeline_lib.models.simko import SimkoGenerator, SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.cut import SessionVolumes, SliceSettings, cut_session, join_sessions
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.truth import gain_of, read_true_maps
from pipeline_lib.stages import decide, simulate
from pipeline_lib.training.card import write_model
from pipeline_lib.training.decisions import Point, acquired_points

CONTRASTS = {
    "T2w75": Sequence("SE", 0.075, 4.5),
    "T1w400": Sequence("SE", 0.008, 0.4),
    "PDw": Sequence("SE", 0.008, 4.5),
}
OPTIONS = {
    "seed": 1, "dataset": "tiny", "reference": "PDw",
    "contrasts": {name: sequence.to_mapping() for name, sequence in CONTRASTS.items()},
    "virtual": {
        "anatomy": "pelvis", "field_strength": 3, "size": [96, 64, 12], "spacing": [4.0, 4.0, 8.0],
        "signal": "exact", "noise": 0.01, "bias_field": 0.0, "label_file": None,
        "motion": {"translation": 0.0, "rotation": 0.0},
    },
}  # fmt: skip
SCALE = 700.0
MODEL = {
    "precision": "float32", "channels": 2, "signal": "simko", "batch_norm_momentum": 0.1,
    "discriminator": "classes", "discriminator_channels": 4,
}  # fmt: skip


def run(monkeypatch, stage, options, *words):
    command = [stage.__name__, "--options", json.dumps(options), *map(str, words)]
    monkeypatch.setattr("sys.argv", command)
    stage.main()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decide")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sub-001", "sub-002"):
            raw, truth = folder / "raw" / name, folder / "truth" / name
            run(
                patch,
                simulate,
                OPTIONS,
                "--patient",
                name,
                "--output",
                raw,
                "--output-truth",
                truth,
            )
            write_slices(folder / "slices" / name, name, raw, truth)
    lines = ["fold,patient,anatomy,split,slice,contrast"]
    lines += ["0,sub-001,sub-001,train,,", "0,sub-002,sub-002,test,,"]
    (folder / "split.csv").write_text("\n".join(lines) + "\n")
    torch.manual_seed(0)
    (folder / "losses.csv").write_text("phase,step,seconds,name,value\n")
    weights = {
        "model": SimkoGenerator(SimkoSettings(2, "simko", 0.1)).state_dict(),
        "discriminator": SimkoDiscriminator(DiscriminatorSettings(4), 3).state_dict(),
    }
    card = {"system": "simko", "settings": MODEL, "contrasts": OPTIONS["contrasts"],
            "unseen": [], "tissues": []}  # fmt: skip
    write_model(folder / "model", weights, card, folder / "losses.csv")
    return folder


def write_slices(folder, name, raw, truth):
    labels, affine = read_label_map(truth / f"{name}_dseg.nii.gz")
    images = {
        contrast: read_scan(raw / "anat" / f"{scan_name(name, contrast, sequence)}.nii.gz")[0]
        for contrast, sequence in CONTRASTS.items()
    }
    body = (labels > 0).astype(np.uint8)
    volumes = SessionVolumes(name, images, body, labels, affine)
    cut = cut_session(volumes, SliceSettings((64, 96), None, "axial", 0.05), SCALE)
    join_sessions(name, [cut], CONTRASTS, {1: "bladder"}, SCALE).write(folder)


def decided(monkeypatch, data, output, *words, truth=True):
    if truth:
        words = ("--truth", data / "truth/sub-001", data / "truth/sub-002", *words)
    run(monkeypatch, decide, {"seed": 3, "signal": "exact"},
        "--slices", data / "slices/sub-001", data / "slices/sub-002", "--split",
        data / "split.csv", "--fold", 0, "--model", data / "model",
        "--output", output, *words)  # fmt: skip
    return pd.read_csv(output)


def test_what_a_scanner_would_acquire_is_what_it_acquired(data):
    slices = PatientSlices.open(data / "slices/sub-002")
    names, points = acquired_points(CONTRASTS)
    shown = decide.scanned(slices, data / "truth/sub-002", CONTRASTS, points, 1, "exact")
    real = decide.as_acquired(slices, names)
    assert shown.images.shape == real.images.shape == (8, len(points), 64, 96)
    assert torch.equal(shown.body, real.body)
    inside = shown.body.numpy()[:, 0] & (slices.tissues[decide.looked_at(slices)] > 0)
    for place in range(len(points)):
        found = shown.images[:, place].numpy()[inside]
        wanted = real.images[:, place].numpy()[inside]
        assert found.mean() == pytest.approx(wanted.mean(), rel=0.01)
        # Each has noise of 1 % of the brightest tissue, which is 1000 / 700 of the scale, so the
        # median of their absolute differences is 0.6745 sqrt(2) of that, if all else is right.
        assert np.median(abs(found - wanted)) == pytest.approx(0.0136, rel=0.15)


def test_the_scale_is_told_from_the_acquired_images(data):
    slices = PatientSlices.open(data / "slices/sub-002")
    truth = json.loads((data / "truth/sub-002/sub-002_truth.json").read_text())
    rows = decide.looked_at(slices)
    maps = read_true_maps(data / "truth/sub-002", slices, rows)
    gain = gain_of(maps, slices, rows, CONTRASTS, "exact")
    assert gain == pytest.approx(truth["gain"] / SCALE, rel=0.005)


def test_noise_depends_on_the_times_alone(data):
    slices = PatientSlices.open(data / "slices/sub-002")
    points = [Point("te", CONTRASTS["PDw"]), Point("te", CONTRASTS["T2w75"])]
    arguments = slices, data / "truth/sub-002", list(CONTRASTS)
    both = decide.scanned(*arguments, points, 1, "exact").images
    alone = decide.scanned(*arguments, points[1:], 1, "exact").images
    assert torch.equal(both[:, 1:], alone)
    assert not torch.equal(decide.scanned(*arguments, points[1:], 2, "exact").images, alone)


def test_the_table_holds_both_kinds_of_images_at_every_point(data, monkeypatch, tmp_path):
    table = decided(monkeypatch, data, tmp_path / "a.csv")
    assert list(table.columns) == ["images", "sweep", "te", "tr", "class", "share", "chosen"]
    assert set(table["class"]) == {*CONTRASTS, "generated"}
    # 19 and 5 TR, both of the training's at the ends; 23 and 2 TE, likewise.
    assert len(table) == 2 * (24 + 25) * 4
    sums = table.groupby(["images", "sweep", "te", "tr"])[["share", "chosen"]].sum()
    np.testing.assert_allclose(sums, 1, atol=1e-6)
    decided(monkeypatch, data, tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_without_truth_the_acquired_contrasts_are_points(data, monkeypatch, tmp_path):
    table = decided(monkeypatch, data, tmp_path / "c.csv", truth=False)
    acquired = table[table["images"] == "acquired"]
    points = acquired[["sweep", "te", "tr"]].drop_duplicates().to_numpy().tolist()
    assert points == [["tr", 0.008, 0.4], ["tr", 0.008, 4.5], ["te", 0.075, 4.5],
                      ["te", 0.008, 4.5]]  # fmt: skip
    assert len(table[table["images"] == "generated"]) == (24 + 25) * 4


def test_the_truth_of_every_patient_is_needed(data, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="--truth names no folder of sub-002"):
        decided(monkeypatch, data, tmp_path / "d.csv", "--truth", data / "truth/sub-001")
    assert not (tmp_path / "d.csv").exists()


def test_a_patient_without_a_contrast_of_the_training_is_told(data):
    slices = PatientSlices.open(data / "slices/sub-002")
    with pytest.raises(InputError, match="sub-002 has no FLAIR"):
        decide.check_patients([slices], ["PDw", "FLAIR"])
