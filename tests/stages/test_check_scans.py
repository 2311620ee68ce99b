import json
import sys

import nibabel
import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.stages import check_scans
from pipeline_lib.stages.command import run_stage

TIMES = {"EchoTime": 0.015, "RepetitionTime": 0.6}


def a_scan(folder, contrast, sidecar=TIMES, array=None):
    path = folder / "sub-01" / "anat" / f"sub-01_{contrast}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.arange(60.0, dtype=np.float32).reshape(3, 4, 5) if array is None else array
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0])), path)
    if sidecar is not None:
        path.with_name(f"sub-01_{contrast}.json").write_text(json.dumps(sidecar))
    return path


def prepare(monkeypatch, tmp_path, scans, contrasts):
    options = json.dumps({"contrasts": contrasts, "reference": "T1w"})
    arguments = ["check_scans", "--session", "sub-01", "--scans", *map(str, scans)]
    arguments += ["--output", str(tmp_path / "checked"), "--options", options]
    monkeypatch.setattr(sys, "argv", arguments)


def test_a_sessions_scans_are_described_in_their_order(monkeypatch, tmp_path):
    scans = [
        a_scan(
            tmp_path, "T2w", {"EchoTime": 0.1, "RepetitionTime": 4.0, "PulseSequenceType": "FSE"}
        ),
        a_scan(tmp_path, "T1w"),
    ]
    prepare(monkeypatch, tmp_path, scans, {"T2w": {"te_last": 0.2}, "T1w": {"te": 0.02}})
    check_scans.main()
    checked = json.loads((tmp_path / "checked/scans.json").read_text())
    assert list(checked) == ["T2w", "T1w"]
    assert checked["T2w"] == {
        "path": str(scans[0]),
        "sequence": "FSE",
        "te": 0.1,
        "tr": 4.0,
        "te_last": 0.2,
        "shape": [3, 4, 5],
        "spacing": [1.0, 2.0, 3.0],
    }
    assert checked["T1w"]["te"] == 0.02


def test_every_bad_scan_is_told_and_nothing_is_written(monkeypatch, tmp_path):
    damaged = a_scan(tmp_path, "T1w")
    damaged.write_bytes(damaged.read_bytes()[:-40])
    milliseconds = a_scan(tmp_path, "T2w", {"EchoTime": 100, "RepetitionTime": 4000})
    hollow = a_scan(tmp_path, "PDw", array=np.full((3, 4, 5), np.nan, np.float32))
    prepare(
        monkeypatch, tmp_path, [damaged, milliseconds, hollow], {"T1w": {}, "T2w": {}, "PDw": {}}
    )
    with pytest.raises(InputError) as caught:
        check_scans.main()
    first, *sentences = str(caught.value).splitlines()
    assert first == "3 problems:"
    assert str(damaged) in sentences[0]
    assert "cut short" in sentences[0]
    assert "sub-01_T2w.json" in sentences[1]
    assert "milliseconds: write 0.1" in sentences[1]
    assert str(hollow) in sentences[2]
    assert "NaN" in sentences[2]
    assert all(sentence.startswith("  - sub-01: ") for sentence in sentences)
    assert not (tmp_path / "checked").exists()


def test_the_stage_ends_with_one_sentence_and_no_traceback(monkeypatch, tmp_path, capsys):
    scan = a_scan(tmp_path, "T1w", sidecar=None)
    prepare(monkeypatch, tmp_path, [scan], {"T1w": {}})
    with pytest.raises(SystemExit, match="1"):
        run_stage(check_scans.main)
    told = capsys.readouterr().err
    assert told.startswith("Error: sub-01: ")
    assert "sub-01_T1w.json is missing; add it" in told
    assert told.count("\n") == 1
