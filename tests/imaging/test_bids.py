import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.bids import find_dseg, find_scans, patient_of, scan_name
from pipeline_lib.signal.sequences import Sequence

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "ms_longitudinal"
CONTRASTS = {"T1w": {}, "T2w": {}}


def add(root, session, *parts, sidecar=True, ending=".nii.gz"):
    patient, *visit = session.split("_")
    anat = root.joinpath(patient, *visit, "anat")
    anat.mkdir(parents=True, exist_ok=True)
    for part in parts:
        (anat / f"{session}_{part}{ending}").touch()
        if sidecar:
            (anat / f"{session}_{part}.json").write_text(json.dumps({"EchoTime": 0.01}))
    return anat


def complaint(root, contrasts=CONTRASTS, exclude=()):
    with pytest.raises(InputError) as caught:
        find_scans(root, contrasts, "T1w", exclude)
    return str(caught.value)


def test_scans_are_found_with_and_without_sessions(tmp_path):
    add(tmp_path, "sub-02_ses-b", "T1w", "T2w")
    add(tmp_path, "sub-02_ses-a", "T1w", "T2w", ending=".nii")
    anat = add(tmp_path, "sub-01", "T2w", "T1w", "PDw")
    (tmp_path / "derivatives" / "x").mkdir(parents=True)
    found = find_scans(tmp_path, CONTRASTS, "T1w")
    assert list(found) == ["sub-01", "sub-02_ses-a", "sub-02_ses-b"]
    assert list(found["sub-01"]) == ["T1w", "T2w"]
    assert found["sub-01"]["T2w"] == anat / "sub-01_T2w.nii.gz"
    assert found["sub-02_ses-a"]["T1w"].name == "sub-02_ses-a_T1w.nii"


def test_match_chooses_by_name_or_pattern(tmp_path):
    add(tmp_path, "sub-01", "acq-short_run-1_T2w", "acq-long_run-2_T2w", "T1w")
    contrasts = {
        "T1w": {},
        "long": {"match": "acq-long_*T2w"},
        "T2w": {"match": "acq-short_run-?_T2w"},
    }
    found = find_scans(tmp_path, contrasts, "T1w")["sub-01"]
    assert found["long"].name == "sub-01_acq-long_run-2_T2w.nii.gz"
    assert found["T2w"].name == "sub-01_acq-short_run-1_T2w.nii.gz"


def test_what_scan_name_names_is_found_by_the_contrasts_name(tmp_path):
    sequences = {"T1w": Sequence("SE", 0.01, 0.5), "T2w75": Sequence("SE", 0.075, 4.5)}
    names = [scan_name("sub-01", *item) for item in sequences.items()]
    assert names == ["sub-01_T1w", "sub-01_acq-T2w75_T2w"]
    add(tmp_path, "sub-01", *(name.removeprefix("sub-01_") for name in names))
    found = find_scans(tmp_path, {"T1w": {}, "T2w75": {}}, "T1w")["sub-01"]
    assert [path.name for path in found.values()] == [f"{name}.nii.gz" for name in names]


@pytest.mark.parametrize(
    ("sequence", "suffix"),
    [
        (Sequence("IR-FSE", 0.14, 9.0, 2.5), "FLAIR"),
        (Sequence("FSE", 0.03, 4.0), "T2w"),
        (Sequence("SE", 0.01, 1.5), "T1w"),
        (Sequence("SE", 0.01, 1.6), "PDw"),
    ],
)
def test_the_suffix_says_what_the_sequence_weights(sequence, suffix):
    assert scan_name("sub-01_ses-1", "own", sequence) == f"sub-01_ses-1_acq-own_{suffix}"


def test_without_a_sequence_the_name_tells_the_suffix():
    assert scan_name("sub-01", "T2wLong", None) == "sub-01_acq-T2wLong_T2w"
    with pytest.raises(InputError, match="begins with its BIDS suffix"):
        scan_name("sub-01", "own", None)


def test_two_scans_of_one_contrast_are_refused(tmp_path):
    anat = add(tmp_path, "sub-01", "T1w", "T2w")
    add(tmp_path, "sub-01", "T1w", ending=".nii")
    sentence = complaint(tmp_path)
    assert f"{anat} has 2 scans of contrast T1w" in sentence
    assert "sub-01_T1w.nii.gz" in sentence
    assert "keep one" in sentence


def test_one_scan_of_two_contrasts_is_refused(tmp_path):
    anat = add(tmp_path, "sub-01", "T1w", "T2w")
    sentence = complaint(tmp_path, {"T1w": {"match": "T?w"}, "other": {"match": "T1w"}, "T2w": {}})
    assert "2 scans of contrast T1w" in sentence
    sentence = complaint(tmp_path, {"T1w": {}, "other": {"match": "T1*"}})
    assert f"{anat / 'sub-01_T1w.nii.gz'} matches both T1w and other" in sentence


def test_a_session_without_the_reference_contrast_is_refused(tmp_path):
    add(tmp_path, "sub-01", "T1w", "T2w")
    anat = add(tmp_path, "sub-02", "T2w", "FLAIR")
    sentence = complaint(tmp_path)
    assert "sub-02 has no scan of the reference contrast T1w" in sentence
    assert f"{anat} holds no sub-02_T1w.nii.gz but FLAIR, T2w" in sentence
    assert "name sub-02 in `exclude:`" in sentence
    assert list(find_scans(tmp_path, CONTRASTS, "T1w", ["sub-02"])) == ["sub-01"]


def test_a_contrast_that_no_session_has_is_told_once(tmp_path):
    for number in range(5):
        add(tmp_path, f"sub-0{number}", "T1w", "acq-a_T2w")
    sentence = complaint(tmp_path)
    assert "Contrast T2w is in no session" in sentence
    assert "correct its `match:`" in sentence
    assert "sub-01" not in sentence


def test_a_missing_sidecar_is_refused_unless_the_configuration_has_the_times(tmp_path):
    anat = add(tmp_path, "sub-01", "T1w", "T2w", sidecar=False)
    (anat / "sub-01_T2w.json").touch()
    sentence = complaint(tmp_path)
    assert f"{anat / 'sub-01_T1w.nii.gz'} has no sidecar sub-01_T1w.json" in sentence
    assert "give te and tr of contrast T1w in the configuration" in sentence
    assert find_scans(tmp_path, {"T1w": {"te": 0.01, "tr": 0.5}, "T2w": {}}, "T1w")
    inverted = {"T1w": {"te": 0.01, "tr": 5, "ti": None, "sequence": "IR-SE"}}
    assert "no sidecar" in complaint(tmp_path, inverted)


@pytest.mark.parametrize("name", ["T1w.json", "sub-01/sub-01_T1w.json", "sub-01/ses-1/T1w.json"])
def test_a_sidecar_of_a_folder_above_counts(tmp_path, name):
    add(tmp_path, "sub-01_ses-1", "acq-fast_T1w", sidecar=False)
    (tmp_path / name).write_text("{}")
    contrasts = {"T1w": {"match": "acq-fast_T1w"}}
    assert find_scans(tmp_path, contrasts, "T1w")


def test_every_problem_is_told_at_once(tmp_path):
    add(tmp_path, "sub-01", "T1w", "T2w")
    add(tmp_path, "sub-02", "T1w")
    add(tmp_path, "sub-03", "T1w", "T2w", sidecar=False)
    sentences = complaint(tmp_path, exclude=["sub-1"]).splitlines()
    assert sentences[0] == "4 problems:"
    assert "`exclude:` names sub-1, which does not exist (did you mean sub-01?)" in sentences[1]
    assert sum("no sidecar" in sentence for sentence in sentences) == 2
    assert "sub-02 has no scan of contrast T2w" in sentences[-1]


def test_patients_and_sessions_can_be_left_out(tmp_path):
    for session in ("sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"):
        add(tmp_path, session, "T1w", "T2w")
    found = find_scans(tmp_path, CONTRASTS, "T1w", ["sub-01_ses-2", "sub-02"])
    assert list(found) == ["sub-01_ses-1"]
    assert "leaves no patient" in complaint(tmp_path, exclude=["sub-01", "sub-02"])


def test_a_folder_without_patients_and_a_missing_one_are_refused(tmp_path):
    assert "has no patient" in complaint(tmp_path)
    assert "set `root:`" in complaint(tmp_path)
    sentence = complaint(tmp_path / "nowhere")
    assert f"{tmp_path / 'nowhere'} is no folder; set `root:`" in sentence


def test_a_patient_without_scans_is_named(tmp_path):
    add(tmp_path, "sub-01", "T1w", "T2w")
    (tmp_path / "sub-02" / "func").mkdir(parents=True)
    assert "sub-02 has no scan of the reference contrast" in complaint(tmp_path)


def test_the_segmentation_of_a_session_is_found_among_the_derivatives(tmp_path):
    assert find_dseg(tmp_path, "sub-01_ses-1") is None
    anat = tmp_path / "derivatives" / "masks" / "sub-01" / "ses-1" / "anat"
    anat.mkdir(parents=True)
    for name in ("space-MNI_dseg.nii.gz", "dseg.json", "T1w.nii.gz", "desc-x_dseg.nii.gz"):
        (anat / f"sub-01_ses-1_{name}").touch()
    assert find_dseg(tmp_path, "sub-01_ses-1") == anat / "sub-01_ses-1_desc-x_dseg.nii.gz"
    assert find_dseg(tmp_path, "sub-01") is None
    (anat / "sub-01_ses-1_dseg.nii.gz").touch()
    with pytest.raises(InputError, match=r"2 segmentations .* keep the one to use"):
        find_dseg(tmp_path, "sub-01_ses-1")


def test_the_patient_is_the_part_before_the_session():
    assert patient_of("sub-01_ses-1") == "sub-01"
    assert patient_of("sub-01") == "sub-01"


def test_five_thousand_files_take_a_fraction_of_a_second(tmp_path):
    names = ("T1w", "T2w", "FLAIR")
    template = tmp_path / "template"
    template.touch()
    for number in range(833):
        anat = tmp_path / f"sub-{number:04d}" / "anat"
        anat.mkdir(parents=True)
        for name in names:
            os.link(template, anat / f"sub-{number:04d}_{name}.nii.gz")
            os.link(template, anat / f"sub-{number:04d}_{name}.json")
    start = time.process_time()
    assert len(find_scans(tmp_path, {name: {} for name in names}, "T1w")) == 833
    assert time.process_time() - start < 0.5


def test_nothing_outside_the_standard_library_is_imported():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules);"
        "import pipeline_lib.imaging.bids, pipeline_lib.imaging.sidecars;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(new - set(sys.stdlib_module_names) - {'pipeline_lib'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real scans are not beside the project")
def test_real_sessions_are_found():
    contrasts = {"FLAIR": {}, "T1w": {}, "T2w": {}}
    found = find_scans(REAL, contrasts, "FLAIR")
    assert list(found) == ["sub-01_ses-1", "sub-01_ses-2", "sub-03_ses-2"]
    assert all(path.exists() for scans in found.values() for path in scans.values())
