"""`recontrast simulate`: what it makes, keeps and refuses."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline_lib.cli import main
from pipeline_lib.imaging.bids import find_scans
from pipeline_lib.imaging.scans import read_scan
from pipeline_lib.imaging.sidecars import read_sequence, sidecar_of
from pipeline_lib.signal.sequences import Sequence

README = Path(__file__).parents[2] / "README.md"
SMALL = ["--size", "32", "32", "8", "--spacing", "12", "12", "12"]
ONE = ["--patients", "1", "--contrast", "T1w=SE,te=0.008,tr=0.4"]


def simulate(folder, *words):
    return main(["simulate", "--output", str(folder), *SMALL, *map(str, words)])


def refused(capsys, folder, *words):
    """The one sentence that a command is refused with."""
    assert simulate(folder, *words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    [line] = shown.err.splitlines()
    return line


def settings_of(folder):
    return json.loads((folder / "dataset_description.json").read_text())["Simulation"]


def test_without_options_it_makes_three_patients_of_simkos_protocol(tmp_path, capsys):
    assert simulate(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["sub-001", "sub-002", "sub-003"]
    assert settings_of(tmp_path)["virtual"]["noise"] == 0.01
    contrasts = {key: {} for key in ["T2w75", "T2w120", "T1w400", "T1w750", "PDw"]}
    found = find_scans(tmp_path, contrasts, "PDw")
    assert list(found) == ["sub-001", "sub-002", "sub-003"]
    for path in found["sub-002"].values():
        image, affine = read_scan(path)
        assert image.shape == (32, 32, 8)
        assert affine[0, 0] == 12
    rows = list(csv.DictReader((tmp_path / "participants.tsv").open(), delimiter="\t"))
    assert [row["participant_id"] for row in rows] == list(found)


def test_every_option_reaches_the_settings(tmp_path):
    words = (
        "--patients 1 --anatomy brain --field-strength 1.5 --seed 7 --dataset mine --reference T2w "
        "--contrast T1w=SE,te=0.012,tr=0.6 --contrast T2w=FSE,te=0.1,tr=4.5,te_last=0.16 "
        "--noise 0.02 --bias-field 0.1 --motion 1 2"
    )
    assert simulate(tmp_path, *words.split()) == 0
    settings = settings_of(tmp_path)
    assert (settings["seed"], settings["dataset"], settings["reference"]) == (7, "mine", "T2w")
    wanted = {
        "anatomy": "brain", "field_strength": 1.5, "noise": 0.02, "bias_field": 0.1,
        "motion": {"translation": 1, "rotation": 2},
    }  # fmt: skip
    assert settings["virtual"] | wanted == settings["virtual"]
    scan = find_scans(tmp_path, {key: {} for key in ["T1w", "T2w"]}, "T1w")["sub-001"]["T2w"]
    assert read_sequence(sidecar_of(scan), {}) == Sequence("FSE", 0.1, 4.5, te_last=0.16)


def test_the_first_contrast_is_the_reference(tmp_path):
    assert simulate(tmp_path, *ONE, "--contrast", "PDw=SE,te=0.008,tr=4.5") == 0
    truth = json.loads((tmp_path / "derivatives/truth/sub-001/sub-001_truth.json").read_text())
    assert np.array_equal(truth["motion"]["T1w"], np.eye(4))
    assert not np.array_equal(truth["motion"]["PDw"], np.eye(4))


def test_a_protocol_takes_further_contrasts(tmp_path):
    words = ["--patients", "1", "--protocol", "alkan2017"]
    assert simulate(tmp_path, *words, "--contrast", "long=SE,te=0.2,tr=4.5") == 0
    settings = settings_of(tmp_path)
    assert list(settings["contrasts"]) == ["T1w", "T2w", "PDw", "long"]
    assert (settings["reference"], settings["virtual"]["anatomy"]) == ("T1w", "brain")


def test_an_imperfect_scanner_is_asked_for_by_options(tmp_path):
    words = "--signal epg --b1-field 0.2 --b0-field 1 --bandwidth 200 --k-space 0.8"
    assert simulate(tmp_path, *ONE, *words.split(), "--slice-thickness", "10") == 0
    virtual = settings_of(tmp_path)["virtual"]
    assert (virtual["signal"], virtual["b1_field"], virtual["k_space"]) == ("epg", 0.2, 0.8)
    assert (virtual["b0_field"], virtual["bandwidth"], virtual["slice_thickness"]) == (1, 200, 10)


def test_patients_that_are_there_are_kept_and_others_added(tmp_path, capsys):
    assert simulate(tmp_path, *ONE) == 0
    scan = tmp_path / "sub-001/anat/sub-001_T1w.nii.gz"
    before, inode = scan.read_bytes(), scan.stat().st_ino
    assert simulate(tmp_path, *ONE, "--patients", "2") == 0
    assert "sub-001: kept" in capsys.readouterr().out
    assert scan.stat().st_ino == inode
    assert simulate(tmp_path, *ONE, "--overwrite") == 0
    assert scan.stat().st_ino != inode
    assert scan.read_bytes() == before
    # Fewer patients asked for than are there: the table still lists them all.
    assert (tmp_path / "participants.tsv").read_text().count("sub-") == 2


def test_a_patient_without_its_truth_is_made_anew(tmp_path, capsys):
    assert simulate(tmp_path, *ONE) == 0
    truth = tmp_path / "derivatives/truth/sub-001"
    truth.rename(tmp_path / "derivatives/lost")
    capsys.readouterr()
    assert simulate(tmp_path, *ONE) == 0
    assert "kept" not in capsys.readouterr().out
    assert truth.is_dir()


def test_patients_of_other_settings_are_refused(tmp_path, capsys):
    assert simulate(tmp_path, *ONE, "--patients", "2") == 0
    capsys.readouterr()
    sentence = refused(capsys, tmp_path, *ONE, "--noise", "0.02")
    assert "other settings (virtual.noise is 0.01 there, 0.02 now)" in sentence
    # One of two made anew would leave the other of other settings.
    sentence = refused(capsys, tmp_path, *ONE, "--noise", "0.02", "--overwrite")
    assert "remove sub-002" in sentence
    assert settings_of(tmp_path)["virtual"]["noise"] == 0.01
    assert simulate(tmp_path, *ONE, "--patients", "2", "--noise", "0.02", "--overwrite") == 0
    assert settings_of(tmp_path)["virtual"]["noise"] == 0.02


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    file = tmp_path / "mine.txt"
    file.write_text("mine")
    for folder in (tmp_path, file):
        assert "is no folder of virtual patients" in refused(capsys, folder)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--noise 3", "noise is 3; it must be at most 0.5."),
        ("--anatomy pelvs", "(did you mean pelvis?)"),
        ("--contrast T1w=SE,te=0.008,tr=400", "it looks like milliseconds: write 0.4"),
        ("--contrast T1w=IR-SE,te=0.008,tr=4", "IR-SE needs an inversion time ti"),
        ("--contrast T1w=SE,te=0.008,tt=4", "contrasts.T1w.tt is no setting"),
        ("--reference T2w", "reference is 'T2w'; allowed are its contrasts"),
        ("--anatomy mrilab", "label_file is not set"),
        ("--b1-field 0.3", "set signal to epg"),
        ("--scale reduced", "give --config too"),
        ("--config nowhere.yaml", "nowhere.yaml is not there"),
        ("--config config/config.yaml", "set --dataset to one of simko2021, alkan2017"),
        ("--config config/config.yaml --dataset simko", "(did you mean simko2021?)"),
        ("--config config/config.yaml --protocol crl2024", "leave out --protocol"),
        ("--config config/examples/ms_longitudinal.yaml", "has no virtual dataset"),
        ("--config Makefile", "Makefile is no YAML"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(tmp_path, capsys, words, told):
    folder = tmp_path / "out"
    assert told in refused(capsys, folder, *words.split())
    assert not folder.exists()


@pytest.mark.parametrize("contrast", ["T1w", "T1w=SE", "T1w=SE,te", "T1w=SE,te=x", "=SE,te=1"])
def test_a_contrast_is_written_in_one_way(tmp_path, contrast, capsys):
    with pytest.raises(SystemExit) as end:
        simulate(tmp_path, "--contrast", contrast)
    assert end.value.code == 2
    assert "argument --contrast" in capsys.readouterr().err


def test_options_win_over_the_configuration(tmp_path):
    config = tmp_path / "config.yaml"
    dataset = {
        "virtual": {"anatomy": "pelvis", "patients": 5, "noise": 0.05, "bias_field": 0.1},
        "contrasts": {"PDw": {"te": 0.008, "tr": 4.5}, "T1w": {"te": 0.008, "tr": 0.4}},
        "reference": "PDw",
    }
    experiments = {"mine": {"dataset": "mine", "models": ["unet"]}}
    models = {"unet": {"system": "unet"}}
    config.write_text(
        yaml.safe_dump(
            {"seed": 3, "datasets": {"mine": dataset}, "experiments": experiments, "models": models}
        )
    )
    out = tmp_path / "out"
    assert simulate(out, "--config", config, "--patients", 1, "--noise", 0) == 0
    settings = settings_of(out)
    assert (settings["seed"], settings["dataset"]) == (3, "mine")
    assert settings["virtual"]["noise"] == 0
    assert settings["virtual"]["bias_field"] == 0.1
    assert len(list(out.glob("sub-*"))) == 1


def test_the_lines_of_python_in_the_readme_give_arrays():
    [lines] = re.findall(r"```python\n(.*?VirtualSettings.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(lines, names)
    images, t1 = names["images"], names["t1"]
    assert list(images) == ["PDw", "T1w"]
    assert images["T1w"].shape == t1.shape == (96, 96, 10)
    body = t1 > 0.2
    assert body.mean() > 0.2
    assert images["PDw"][body].mean() > 10 * images["PDw"][~body].mean()
