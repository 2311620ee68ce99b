import csv
import json

import numpy as np
import pytest

from pipeline_lib.imaging.bids import find_scans
from pipeline_lib.imaging.scans import read_label_map, read_scan
from pipeline_lib.imaging.sidecars import read_sequence, sidecar_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.stages import simulate, simulate_dataset

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
    arguments = ["--patient", "sub-001", "--output", str(raw), "--truth", str(truth)]
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


def test_the_dataset_lists_its_patients(tmp_path, monkeypatch):
    description, participants = tmp_path / "d.json", tmp_path / "p.tsv"
    arguments = ["--patients", "sub-001", "sub-002", "--output-description", str(description)]
    arguments += ["--output-participants", str(participants), "--options", json.dumps(OPTIONS)]
    monkeypatch.setattr("sys.argv", ["simulate_dataset", *arguments])
    simulate_dataset.main()
    assert json.loads(description.read_text())["DatasetType"] == "raw"
    rows = list(csv.DictReader(participants.open(), delimiter="\t"))
    assert [row["participant_id"] for row in rows] == ["sub-001", "sub-002"]
