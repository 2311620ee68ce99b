import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.imaging.bids import find_scans
from pipeline_lib.imaging.scans import read_label_map, read_scan
from pipeline_lib.imaging.sidecars import read_sequence, sidecar_of
from pipeline_lib.phantom.dataset import VirtualDataset, write_patient
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.stages import simulate, simulate_dataset

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CONTRASTS = {
    "T2w75": {"sequence": "SE", "te": 0.075, "tr": 4.5},
    "FLAIR": {"sequence": "IR-FSE", "te": 0.1, "tr": 9.0, "ti": 2.5, "te_last": 0.16},
}
OPTIONS = {
    "seed": 1,
    "dataset": "tiny",
    "virtual": {
        "anatomy": "pelvis",
        "field_strength": 3,
        "size": [32, 32, 6],
        "spacing": [12.0, 12.0, 16.0],
        "signal": "exact",
        "noise": 0.01,
        "bias_field": 0.3,
        "motion": {"translation": 5.0, "rotation": 5.0},
        "label_file": None,
    },
    "contrasts": CONTRASTS,
    "reference": "T2w75",
}


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    raw, truth = tmp_path / "raw/sub-001", tmp_path / "truth/sub-001"
    arguments = ["--patient", "sub-001", "--output", str(raw), "--output-truth", str(truth)]
    monkeypatch.setattr("sys.argv", ["simulate", "--options", json.dumps(OPTIONS), *arguments])
    simulate.main()
    return tmp_path


def test_raw_scans_are_bids_that_the_workflow_reads_back(simulated):
    found = find_scans(simulated / "raw", CONTRASTS, "T2w75")
    for contrast, path in found["sub-001"].items():
        image, affine = read_scan(path)
        assert image.shape == (32, 32, 6)
        assert affine[0, 0] == 12.0
        sequence = read_sequence(sidecar_of(path), {})
        assert sequence == Sequence.from_mapping(CONTRASTS[contrast])


def test_the_truth_lies_beside(simulated):
    folder = simulated / "truth/sub-001"
    truth = json.loads((folder / "sub-001_truth.json").read_text())
    assert np.array_equal(truth["motion"]["T2w75"], np.eye(4))
    assert not np.array_equal(truth["motion"]["FLAIR"], np.eye(4))
    labels, _ = read_label_map(folder / "sub-001_dseg.nii.gz")
    names = json.loads((folder / "sub-001_dseg.json").read_text())
    assert {int(label) for label in names} >= set(np.unique(labels)) - {0}
    t1, _ = read_scan(folder / "sub-001_T1map.nii.gz")
    muscle = labels == next(int(k) for k, name in names.items() if name == "muscle")
    assert t1[muscle].mean() == pytest.approx(truth["tissues"]["muscle"]["t1"], rel=0.1)


def test_an_imperfect_scanner_leaves_its_fields_and_its_trains(tmp_path):
    train = {"sequence": "FSE", "te": 0.08, "tr": 4.0, "te_last": 0.16}
    train |= {"echoes": 4, "refocusing": 150.0}
    scanner = {"signal": "epg", "b1_field": 0.3, "b0_field": 1.0, "bandwidth": 200.0}
    virtual = OPTIONS["virtual"] | scanner | {"slice_thickness": 10.0}
    options = OPTIONS | {"virtual": virtual, "contrasts": {"T2w": train}, "reference": "T2w"}
    raw, truth = tmp_path / "raw/sub-001", tmp_path / "truth"
    write_patient(VirtualDataset.from_options(options), "sub-001", raw, truth)
    scan = raw / "anat/sub-001_T2w.nii.gz"
    assert read_sequence(sidecar_of(scan), {}) == Sequence.from_mapping(train)
    assert json.loads(sidecar_of(scan).read_text())["SliceThickness"] == 10
    body = read_label_map(truth / "sub-001_dseg.nii.gz")[0] > 0
    angle, _ = read_scan(truth / "sub-001_TB1map.nii.gz")
    off, _ = read_scan(truth / "sub-001_B0map.nii.gz")
    assert angle[body].mean() == pytest.approx(1, abs=0.05)
    assert 0.2 < np.ptp(angle[body]) < 0.35
    assert 0.3 < np.abs(off[body]).max() < 1.05


def test_the_number_of_threads_changes_no_byte(tmp_path):
    # So large that a matrix product would be shared among the threads.
    virtual = OPTIONS["virtual"] | {"size": [192, 192, 8], "spacing": [2.0, 2.0, 8.0]}
    options = OPTIONS | {"virtual": virtual}
    one, two = tmp_path / "one", tmp_path / "two"
    command = [sys.executable, "-m", "pipeline_lib.stages.simulate", "--patient", "sub-001"]
    command += ["--output", str(two / "raw"), "--output-truth", str(two / "truth")]
    command += ["--options", json.dumps(options)]
    environment = os.environ | dict.fromkeys(THREADS, "2")
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        # The tests themselves have one thread.
        write_patient(VirtualDataset.from_options(options), "sub-001", one / "raw", one / "truth")
    assert process.returncode == 0
    by_one, by_two = (
        {path.name: path.read_bytes() for path in folder.rglob("*.*")} for folder in (one, two)
    )
    assert len(by_one) == 11
    assert by_one == by_two


def test_the_dataset_lists_its_patients(tmp_path, monkeypatch):
    raw, truth, participants = (tmp_path / name for name in ("d.json", "t.json", "p.tsv"))
    patients = tmp_path / "patients.json"
    patients.write_text('{"sub-001": "sub-001", "sub-002": "sub-002"}')
    arguments = ["--patients", str(patients), "--output-description", str(raw)]
    arguments += ["--output-truth-description", str(truth), "--output-participants"]
    arguments += [str(participants), "--options", json.dumps(OPTIONS)]
    monkeypatch.setattr("sys.argv", ["simulate_dataset", *arguments])
    simulate_dataset.main()
    description = json.loads(raw.read_text())
    assert description["DatasetType"] == "raw"
    assert description["Simulation"] == OPTIONS
    assert json.loads(truth.read_text())["DatasetType"] == "derivative"
    rows = list(csv.DictReader(participants.open(), delimiter="\t"))
    assert [row["participant_id"] for row in rows] == ["sub-001", "sub-002"]
