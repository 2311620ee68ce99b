import json
import sys

from pipeline_lib.stages import check_scans, convert_dicom
from tests.imaging.dicom_series import write_series


def test_what_is_converted_passes_the_check_of_scans(monkeypatch, tmp_path):
    write_series(tmp_path / "dicom" / "p1", 1, "t1_se")
    write_series(tmp_path / "dicom" / "p1", 2, "t2_tse", te=0.1, tr=4.5, train=15)
    contrasts = {"T1w": {"series": "t1*"}, "T2w": {"series": "t2*", "te_last": 0.2}}
    options = json.dumps({"contrasts": contrasts, "reference": "T1w"})
    folder = tmp_path / "sub-p1"
    arguments = ["convert_dicom", "--source", str(tmp_path / "dicom" / "p1"), "--patient", "sub-p1"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--output", str(folder), "--options", options])
    convert_dicom.main()

    scans = [str(folder / "anat" / f"sub-p1_{name}.nii.gz") for name in contrasts]
    arguments = ["check_scans", "--session", "sub-p1", "--scans", *scans]
    output = ["--output", str(tmp_path / "checked"), "--options", options]
    monkeypatch.setattr(sys, "argv", [*arguments, *output])
    check_scans.main()
    checked = json.loads((tmp_path / "checked/scans.json").read_text())
    assert {name: scan["sequence"] for name, scan in checked.items()} == {"T1w": "SE", "T2w": "FSE"}
    assert checked["T2w"]["te_last"] == 0.2
    assert checked["T1w"]["spacing"] == [2.0, 1.5, 4.0]
