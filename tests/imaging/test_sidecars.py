import json
from pathlib import Path

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.sidecars import (
    inherited_sidecars,
    possible_sidecars,
    read_labels,
    read_sequence,
)
from pipeline_lib.phantom.cohort import VirtualSettings
from pipeline_lib.phantom.dataset import sidecar
from pipeline_lib.phantom.motion import Motion
from pipeline_lib.signal.sequences import Sequence

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "ms_longitudinal"
SPIN_ECHO = {"EchoTime": 0.015, "RepetitionTime": 0.6}


def a_sidecar(tmp_path, **fields):
    path = tmp_path / "sub-01" / "anat" / "sub-01_T1w.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))
    return path


def complaint(path, overrides=None):
    with pytest.raises(InputError) as caught:
        read_sequence(path, overrides or {})
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("stated", "more", "kind"),
    [
        ("SE", {}, "SE"),
        ("FSE", {}, "FSE"),
        ("IR-SE", {"InversionTime": 0.1}, "IR-SE"),
        ("IR-FSE", {"InversionTime": 0.1}, "IR-FSE"),
        ("spin echo", {}, "SE"),
        ("Spin_Echo", {}, "SE"),
        ("TSE", {}, "FSE"),
        ("turbo spin echo", {}, "FSE"),
        ("Fast Spin-Echo", {}, "FSE"),
        ("inversion-recovery spin echo", {"InversionTime": 0.1}, "IR-SE"),
        ("Inversion Recovery TSE", {"InversionTime": 0.1}, "IR-FSE"),
        ("Spin Echo", {"EchoTrainLength": 15}, "FSE"),
    ],
)
def test_the_kind_of_sequence_is_read_from_many_spellings(tmp_path, stated, more, kind):
    path = a_sidecar(tmp_path, **SPIN_ECHO, PulseSequenceType=stated, **more)
    assert read_sequence(path, {}).kind == kind


@pytest.mark.parametrize("codes", ["SE\\IR", "IR_SE", ["SE", "IR"]])
def test_dicoms_codes_tell_the_kind_where_the_type_is_not_stated(tmp_path, codes):
    path = a_sidecar(tmp_path, **SPIN_ECHO, InversionTime=0.1, ScanningSequence=codes)
    assert read_sequence(path, {}).kind == "IR-SE"


def test_a_silent_sidecar_is_a_spin_echo(tmp_path):
    assert read_sequence(a_sidecar(tmp_path, **SPIN_ECHO), {}) == Sequence("SE", 0.015, 0.6)
    with_ti = a_sidecar(tmp_path, **SPIN_ECHO, InversionTime=0.1)
    assert read_sequence(with_ti, {}).kind == "IR-SE"


def test_the_last_echo_of_the_train_is_read(tmp_path):
    path = a_sidecar(tmp_path, **SPIN_ECHO, PulseSequenceType="FSE", EchoTrainLastEchoTime=0.2)
    assert read_sequence(path, {}) == Sequence("FSE", 0.015, 0.6, te_last=0.2)


TRAIN = {
    "EchoTime": 0.05,
    "RepetitionTime": 3.0,
    "PulseSequenceType": "FSE",
    "EchoTrainLastEchoTime": 0.1,
    "EchoTrainLength": 10,
}


def test_a_train_that_tells_its_angle_tells_its_echoes(tmp_path):
    path = a_sidecar(tmp_path, **TRAIN, EchoTrainRefocusingFlipAngle=120)
    read = read_sequence(path, {})
    assert read == Sequence("FSE", 0.05, 3.0, te_last=0.1, echoes=10, refocusing=120)
    assert isinstance(read.echoes, int)
    assert read_sequence(path, {"echoes": 20, "refocusing": 90}).refocusing == 90


@pytest.mark.parametrize(
    "sequence",
    [
        Sequence("FSE", 0.05, 3.0, te_last=0.1, echoes=10, refocusing=120),
        Sequence("IR-FSE", 0.05, 3.0, 0.2, te_last=0.1, echoes=10),
        Sequence("FSE", 0.047, 3.0, te_last=0.1),
    ],
)
def test_what_the_virtual_scanner_writes_is_read_back(tmp_path, sequence):
    settings = VirtualSettings(
        "pelvis", 3.0, (8, 8, 8), (1.0, 1.0, 1.0), "epg", 0.0, 0.0, Motion(0.0, 0.0), None
    )
    assert read_sequence(a_sidecar(tmp_path, **sidecar(sequence, settings)), {}) == sequence


def test_the_echoes_of_a_real_train_are_left_alone(tmp_path):
    path = a_sidecar(tmp_path, **TRAIN | {"EchoTime": 0.047})
    assert read_sequence(path, {}) == Sequence("FSE", 0.047, 3.0, te_last=0.1)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("EchoTrainLength", "ten", "not one number; write it in echoes and degrees"),
        ("EchoTrainLength", None, "EchoTrainLength is null, not one number"),
        ("EchoTrainLength", 7.5, "whole number of echoes"),
        ("EchoTrainRefocusingFlipAngle", 200, "refocusing is 200"),
    ],
)
def test_a_train_of_no_sense_is_refused(tmp_path, field, value, told):
    fields = TRAIN | {"EchoTrainRefocusingFlipAngle": 120} | {field: value}
    assert told in complaint(a_sidecar(tmp_path, **fields))


def test_the_configuration_comes_before_the_sidecar(tmp_path):
    path = a_sidecar(tmp_path, EchoTime=15, RepetitionTime=600, PulseSequenceType="gradient echo")
    overrides = {"te": 0.02, "tr": 0.7, "sequence": "SE", "ti": None, "match": "x"}
    assert read_sequence(path, overrides) == Sequence("SE", 0.02, 0.7)
    assert read_sequence(tmp_path / "absent.json", overrides) == Sequence("SE", 0.02, 0.7)


def test_a_missing_sidecar_is_refused(tmp_path):
    sentence = complaint(tmp_path / "sub-01" / "anat" / "sub-01_T1w.json", {"te": 0.01})
    assert "is missing; add it with EchoTime and RepetitionTime in seconds" in sentence


def test_milliseconds_are_refused_with_the_value_and_what_to_write(tmp_path):
    sentence = complaint(a_sidecar(tmp_path, EchoTime=75, RepetitionTime=4.5))
    assert "EchoTime 75" in sentence
    assert "looks like milliseconds: write 0.075" in sentence
    assert "correct the file" in sentence


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"EchoTime": 0.7, "RepetitionTime": 0.6},
            "EchoTime 0.7, RepetitionTime 0.6): tr is 0.6 s",
        ),
        ({"EchoTime": 0.01}, "tr not given"),
        ({}, "te and tr not given"),
        (SPIN_ECHO | {"EchoTime": -1}, "te is -1; it must be a positive"),
        (SPIN_ECHO | {"PulseSequenceType": "SE", "InversionTime": 0.1}, "SE has no inversion time"),
        (SPIN_ECHO | {"PulseSequenceType": "IR-SE"}, "IR-SE needs an inversion time"),
        (SPIN_ECHO | {"EchoTrainLastEchoTime": 0.1}, "te_last belongs to FSE"),
    ],
)
def test_an_inconsistent_sidecar_is_refused(tmp_path, fields, told):
    sentence = complaint(a_sidecar(tmp_path, **fields))
    assert told in sentence
    assert "correct the file, or give sequence, te, tr and ti" in sentence


@pytest.mark.parametrize("value", ["0.015", [0.015, 0.03], True])
def test_a_time_that_is_no_number_is_refused(tmp_path, value):
    sentence = complaint(a_sidecar(tmp_path, EchoTime=value, RepetitionTime=0.6))
    assert f"EchoTime is {json.dumps(value)}, not one number" in sentence


def test_what_the_configuration_contributed_is_told(tmp_path):
    sentence = complaint(a_sidecar(tmp_path, **SPIN_ECHO), {"te": 0.9})
    assert "RepetitionTime 0.6, te 0.9 in the configuration" in sentence


@pytest.mark.parametrize(
    "stated", ["gradient echo", "MPRAGE", "GR\\IR", "Spoiled Gradient Recalled"]
)
def test_a_sequence_without_a_signal_equation_is_refused(tmp_path, stated):
    sentence = complaint(a_sidecar(tmp_path, **SPIN_ECHO, PulseSequenceType=stated))
    assert "no spin echo" in sentence
    assert "leave the contrast out" in sentence


@pytest.mark.parametrize("content", ["", "{", "[1]", "\xff"])
def test_a_sidecar_that_is_no_json_object_is_refused(tmp_path, content):
    path = a_sidecar(tmp_path)
    path.write_bytes(content.encode("latin-1"))
    assert "write it again" in complaint(path)


def test_sidecars_of_the_folders_above_are_inherited_the_nearest_first(tmp_path):
    path = a_sidecar(tmp_path, EchoTime=0.02)
    (tmp_path / "T1w.json").write_text(json.dumps({"RepetitionTime": 0.5, "EchoTime": 0.01}))
    (tmp_path / "T2w.json").write_text(json.dumps({"RepetitionTime": 5.0}))
    (tmp_path / "acq-x_T1w.json").write_text(json.dumps({"RepetitionTime": 6.0}))
    (path.parent.parent / "sub-01_T1w.json").write_text(json.dumps({"RepetitionTime": 0.7}))
    assert read_sequence(path, {}) == Sequence("SE", 0.02, 0.7)
    assert inherited_sidecars(path.with_suffix(".nii.gz")) == [
        tmp_path / "T1w.json",
        path.parent.parent / "sub-01_T1w.json",
    ]


def test_labels_are_read_from_the_table_or_the_mapping(tmp_path):
    segmentation = tmp_path / "sub-01_dseg.nii.gz"
    with pytest.raises(InputError, match=r"neither sub-01_dseg\.tsv nor sub-01_dseg\.json"):
        read_labels(segmentation)
    (tmp_path / "sub-01_dseg.json").write_text('{"1": "fat", "2": "muscle"}')
    assert read_labels(segmentation) == {1: "fat", 2: "muscle"}
    (tmp_path / "sub-01_dseg.tsv").write_text("index\tname\n0\tbackground\n3\tbone\n")
    assert read_labels(segmentation) == {3: "bone"}


@pytest.mark.parametrize("content", ["", "index\tlabel\n1\tfat\n", "index\tname\nx\tfat\n"])
def test_a_table_that_names_no_labels_is_refused(tmp_path, content):
    (tmp_path / "sub-01_dseg.tsv").write_text(content)
    with pytest.raises(
        InputError, match=r"dseg\.tsv names no labels; write columns index and name"
    ):
        read_labels(tmp_path / "sub-01_dseg.nii.gz")


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real scans are not beside the project")
def test_real_sidecars_are_read():
    sidecar = REAL / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_FLAIR.json"
    assert read_sequence(sidecar, {}) == Sequence("IR-SE", 0.14, 11.0, 2.8)


def test_all_json_files_that_may_describe_a_scan_are_found_up_to_the_datasets_folder(tmp_path):
    root = tmp_path / "study/bids"
    names = ("T1w.json", "sub-01/sub-01_T2w.json", "sub-01/ses-1/anat/sub-01_ses-1_T1w.json")
    for name in (*names, "../other.json", "sub-02/sub-02_T1w.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    scan = root / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    assert set(possible_sidecars([scan])) == {root / name for name in names}
    assert inherited_sidecars(scan) == [root / "T1w.json"]
