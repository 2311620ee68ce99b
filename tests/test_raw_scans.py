import re
from pathlib import Path

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.raw_scans import find_raw_scans

SPIN_ECHOES = {
    "PDw": {"sequence": "SE", "te": 0.01, "tr": 4.0},
    "late": {"sequence": "SE", "te": 0.1, "tr": 4.0},
}


def test_virtual_scans_are_named_before_they_are_made():
    dataset = {"virtual": {"patients": 3}, "exclude": ["sub-002"], "contrasts": SPIN_ECHOES}
    found = find_raw_scans("heads", dataset, 1)
    assert list(found) == ["sub-001", "sub-003"]
    assert found["sub-003"] == {
        "PDw": "results/simulate/heads/sub-003/anat/sub-003_PDw.nii.gz",
        "late": "results/simulate/heads/sub-003/anat/sub-003_acq-late_T2w.nii.gz",
    }


def test_patients_of_shared_jobs_lie_in_the_folder_of_their_batch():
    dataset = {"virtual": {"patients": 9}, "exclude": [], "contrasts": SPIN_ECHOES}
    for patient, scans in find_raw_scans("heads", dataset, 5).items():
        assert re.fullmatch(
            rf"results/simulate/heads/batch-000[01]/{patient}/anat/{patient}_PDw.nii.gz",
            scans["PDw"],
        )


def test_a_patient_of_dicom_files_is_a_folder(tmp_path):
    for name in ("sub-1", "sub-2"):
        (tmp_path / name).mkdir()
    dataset = {"dicom": {"root": tmp_path}, "exclude": [], "contrasts": {"T1w": {}}}
    found = find_raw_scans("clinic", dataset, 1)
    assert list(found) == ["sub-1", "sub-2"]
    assert found["sub-2"] == {"T1w": "results/convert_dicom/clinic/sub-2/anat/sub-2_T1w.nii.gz"}


def test_pictures_are_one_session_and_a_missing_folder_is_a_sentence(tmp_path):
    dataset = {"pictures": {"root": "drawn"}, "contrasts": {"PD": {"file": "pd.png"}}}
    assert find_raw_scans("page", dataset, 1) == {"sub-page": {"PD": Path("drawn/pd.png")}}
    dataset = {
        "bids": {"root": tmp_path / "none"},
        "contrasts": {"T1w": {}},
        "reference": "T1w",
        "exclude": [],
    }
    with pytest.raises(InputError, match="is no folder"):
        find_raw_scans("real", dataset, 1)
