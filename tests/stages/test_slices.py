import json
import sys

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import write_scan
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages import slices

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])
CONTRASTS = {"PDw": {"sequence": "SE", "te": 0.008, "tr": 4.5}, "T1w": {"te": 0.008, "tr": 0.4}}
SETTINGS = {"size": [16, 16], "spacing": None, "orientation": "axial", "minimum_body": 0.02}


def a_session(folder, session, shift=0, tissue="fat"):
    body = np.zeros((20, 20, 4), np.uint8)
    body[4 + shift : 16 + shift, 5:15, 1:] = 1
    registered, segmented = folder / "register" / session, folder / "segment" / session
    for number, name in enumerate(CONTRASTS, start=1):
        write_scan(registered / f"{name}.nii.gz", body * 100.0 * number, AFFINE)
    write_scan(segmented / "body.nii.gz", body, AFFINE, dtype=np.uint8)
    write_scan(segmented / "tissues.nii.gz", body, AFFINE, dtype=np.uint8)
    (segmented / "tissues.json").write_text(json.dumps({"1": tissue}))
    checked = folder / "check_scans" / session
    checked.mkdir(parents=True)
    (checked / "scans.json").write_text(json.dumps(CONTRASTS))
    return registered, segmented, checked


def run(monkeypatch, folder, sessions):
    (folder / "scale").mkdir(exist_ok=True)
    (folder / "scale/scale.json").write_text('{"scale": 200.0}')
    registered, segmented, checked = (
        list(map(str, paths)) for paths in zip(*sessions, strict=True)
    )
    options = json.dumps({"contrasts": CONTRASTS, "slices": SETTINGS})
    arguments = ["slices", "--registered", *registered, "--segmented", *segmented]
    arguments += ["--checked", *checked, "--scale", str(folder / "scale")]
    arguments += ["--patient", "sub-01", "--output", str(folder / "slices"), "--options", options]
    monkeypatch.setattr(sys, "argv", arguments)
    slices.main()
    return PatientSlices.open(folder / "slices")


def test_both_sessions_of_a_patient_become_one_store(tmp_path, monkeypatch):
    names = ("sub-01_ses-1", "sub-01_ses-2")
    sessions = [a_session(tmp_path, name, shift) for shift, name in enumerate(names)]
    store = run(monkeypatch, tmp_path, sessions)
    assert store.images.shape == (6, 2, 16, 16)
    assert store.sessions == ("sub-01_ses-1",) * 3 + ("sub-01_ses-2",) * 3
    assert store.indices == (1, 2, 3) * 2
    np.testing.assert_array_equal(store.images[:, 0], store.body * 0.5)
    np.testing.assert_array_equal(store.images[:, 1], store.body * 1.0)
    np.testing.assert_array_equal(store.images[:3], store.images[3:])
    assert store.tissue_names == {1: "fat"}
    assert store.contrasts["T1w"].tr == 0.4
    header = json.loads((tmp_path / "slices" / "slices.json").read_text())
    assert header["slices"][3] == {"session": "sub-01_ses-2", "index": 1}
    assert header["spacing"] == [2.0, 2.0]


def test_volumes_on_other_grids_are_refused(tmp_path, monkeypatch):
    session = a_session(tmp_path, "sub-01")
    write_scan(session[0] / "T1w.nii.gz", np.arange(1000.0).reshape(10, 10, 10), AFFINE)
    with pytest.raises(InputError, match="not on one grid; delete both"):
        run(monkeypatch, tmp_path, [session])


def test_sessions_of_different_tissues_are_refused(tmp_path, monkeypatch):
    sessions = [a_session(tmp_path, "sub-01_ses-1"), a_session(tmp_path, "sub-01_ses-2", 1, "bone")]
    with pytest.raises(InputError, match="sub-01 have segmentations of different tissues"):
        run(monkeypatch, tmp_path, sessions)
