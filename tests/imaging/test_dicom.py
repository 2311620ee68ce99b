import json

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.bids import find_patients
from pipeline_lib.imaging.dicom import convert_patient
from pipeline_lib.imaging.scans import read_scan
from pipeline_lib.imaging.sidecars import read_sequence
from pipeline_lib.signal.sequences import Sequence
from tests.imaging.dicom_series import CORNER, SPACING, THICKNESS, stored, write_series

CONTRASTS = {"T1w": {"series": "T1*"}, "T2w100": {"series": "*tse*"}, "FLAIR": {}}


@pytest.fixture
def patient(tmp_path):
    folder = tmp_path / "dicom" / "Pat 07"
    write_series(folder / "first", 1, "t1_se_tra")
    write_series(folder / "first", 2, "t2_tse_tra", te=0.1, tr=4.5, train=15)
    write_series(folder / "later", 3, "tra flair", te=0.14, tr=9, ti=2.5, codes=["SE", "IR"])
    return folder


def complaint(patient, contrasts):
    with pytest.raises(InputError) as caught:
        convert_patient(patient, "sub-07", contrasts, patient.parent / "out")
    assert not (patient.parent / "out").exists()
    assert str(patient) in str(caught.value)
    return str(caught.value)


def test_each_contrast_gets_its_series_and_its_times(patient, tmp_path):
    convert_patient(patient, "sub-07", CONTRASTS, tmp_path / "out")
    anat = tmp_path / "out" / "anat"
    names = ["sub-07_FLAIR", "sub-07_T1w", "sub-07_acq-T2w100_T2w"]
    assert sorted(path.name for path in anat.iterdir()) == sorted(
        f"{name}{ending}" for name in names for ending in (".json", ".nii.gz")
    )
    assert [read_sequence(anat / f"{name}.json", {}) for name in names] == [
        Sequence("IR-SE", 0.14, 9.0, 2.5),
        Sequence("SE", 0.015, 0.6),
        Sequence("FSE", 0.1, 4.5),
    ]


def test_every_voxel_keeps_its_value_and_its_place(patient, tmp_path):
    convert_patient(patient, "sub-07", CONTRASTS, tmp_path / "out")
    array, affine = read_scan(tmp_path / "out" / "anat" / "sub-07_T1w.nii.gz")
    places = [(0, 0, 0), (4, 7, 3), (2, 11, 9)]
    for index, row, column in places:
        # DICOM's x and y run to the left and the back, NIfTI's to the right and the front.
        x = CORNER[0] + column * SPACING[1]
        y = CORNER[1] + row * SPACING[0]
        place = [-x, -y, CORNER[2] + index * THICKNESS, 1]
        voxel = np.rint(np.linalg.solve(affine, place)).astype(int)[:3]
        assert array[tuple(voxel)] == stored(1)[index, row, column]


def test_the_sidecar_names_no_person(patient, tmp_path):
    convert_patient(patient, "sub-07", CONTRASTS, tmp_path / "out")
    for path in (tmp_path / "out" / "anat").glob("*.json"):
        text = path.read_text()
        assert "Doe" not in text
        assert "PatientID" not in text
        assert "2020" not in text


def test_no_matching_series_is_refused_with_what_there_is(patient):
    sentence = complaint(patient, {"T1w": {"series": "mprage*"}})
    assert "no series for contrast T1w (`series: mprage*`)" in sentence
    assert "tra flair (series 3" in sentence
    assert "correct the pattern" in sentence


def test_several_matching_series_are_refused_each_contrast_a_sentence(patient):
    sentence = complaint(patient, {"T1w": {"series": "t*"}, "T2w": {"series": "x"}})
    assert "3 series for contrast T1w" in sentence
    assert "write a pattern that only one matches" in sentence
    assert "no series for contrast T2w" in sentence


def test_the_echo_time_picks_among_series_of_one_name(tmp_path):
    patient = tmp_path / "dicom" / "p1"
    write_series(patient, 1, "pd+t2", te=0.015, tr=3.0)
    write_series(patient, 2, "pd+t2", te=0.0901, tr=3.0)
    contrasts = {"T2w": {"series": "pd+t2", "te": 0.09}}
    convert_patient(patient, "sub-p1", contrasts, tmp_path / "out")
    sidecar = json.loads((tmp_path / "out" / "anat" / "sub-p1_T2w.json").read_text())
    assert sidecar["EchoTime"] == 0.0901


def test_a_folder_without_dicom_is_refused(tmp_path):
    patient = tmp_path / "dicom" / "p1"
    patient.mkdir(parents=True)
    (patient / "notes.txt").write_text("nothing here")
    assert "gave no scan" in complaint(patient, CONTRASTS)


def test_a_contrast_without_a_suffix_in_its_name_is_refused(patient, tmp_path):
    with pytest.raises(InputError, match="call it for instance T1wfast"):
        convert_patient(patient, "sub-07", {"fast": {"series": "t1*"}}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sub_folders_are_patients_called_by_their_letters_and_digits(patient):
    (patient.parent / "sub-B_2").mkdir()
    (patient.parent / ".hidden").mkdir()
    (patient.parent / "a file").write_text("")
    assert find_patients(patient.parent) == {
        "sub-Pat07": patient,
        "sub-B2": patient.parent / "sub-B_2",
    }


def test_folders_of_one_name_are_refused(patient):
    (patient.parent / "Pat-07").mkdir()
    with pytest.raises(InputError, match=r"would both be called sub-Pat07; rename"):
        find_patients(patient.parent)


def test_a_missing_or_empty_root_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no sub-folder; put"):
        find_patients(tmp_path)
    with pytest.raises(InputError, match="is no folder; set `root:`"):
        find_patients(tmp_path / "nowhere")
