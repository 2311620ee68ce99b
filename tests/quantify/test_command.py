"""`recontrast fit` on scans of the virtual scanner, and what it says of bad ones."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import nibabel
import numpy as np
import pandas as pd
import pytest

from pipeline_lib.cli import main
from pipeline_lib.files import read_json
from pipeline_lib.imaging.scans import read_volume, write_scan
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.tables import core_of_tissue
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def virtual(tmp_path_factory):
    """A virtual pelvis that lay still in a coil without shading."""
    folder = tmp_path_factory.mktemp("virtual") / "pelvis"
    words = "--patients 1 --size 96 96 8 --spacing 4 4 15 --bias-field 0 --motion 0 0"
    assert main(["simulate", "--output", str(folder), *words.split()]) == 0
    return folder


@pytest.fixture
def scans(virtual, tmp_path):
    """A copy of its scans to spoil."""
    return Path(shutil.copytree(virtual / "sub-001", tmp_path / "raw/sub-001"))


def truth(virtual, name):
    return virtual / f"derivatives/truth/sub-001/sub-001_{name}.nii.gz"


def fit(*words):
    return main(["fit", *map(str, words)])


def sentence(capsys, *words):
    """The one sentence about a bad input."""
    assert fit(*words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    [line] = shown.err.splitlines()
    return line


def read(path):
    return nibabel.load(path).get_fdata()


def test_a_virtual_patient_is_recovered_within_its_bounds(virtual, tmp_path, capsys):
    output, picture = tmp_path / "maps", tmp_path / "maps.png"
    words = [virtual / "sub-001", "--output", output, "--tissues", truth(virtual, "dseg")]
    assert fit(*words, "--picture", picture) == 0
    anat = output / "sub-001/anat"
    names = read_json(truth(virtual, "dseg").with_name("sub-001_dseg.json"))
    labels = np.moveaxis(read(truth(virtual, "dseg")), 2, 0)
    flags = read(anat / "sub-001_desc-flag_fit.nii.gz")
    assert ((flags != Flag.NOT_FITTED) == np.moveaxis(labels > 0, 0, 2)).all()
    for name in ("T1", "T2"):
        error = read(anat / f"sub-001_{name}map.nii.gz") - read(truth(virtual, f"{name}map"))
        bound = read(anat / f"sub-001_desc-bound_{name}map.nii.gz")
        for label in (int(label) for label, tissue in names.items() if tissue in ("fat", "muscle")):
            core = np.moveaxis(core_of_tissue(labels == label), 0, 2)
            share = error[core] / bound[core]
            assert abs(np.median(share)) < 0.3
            assert 0.97 < (np.abs(share) < 3).mean() <= 1
            assert np.std(share) == pytest.approx(1, abs=0.25)

    table = pd.read_csv(output / "sub-001/tissues.tsv", sep="\t").set_index(["tissue", "parameter"])
    fat = table.loc[("fat", "T1")]
    nominal = read_json(virtual / "derivatives/truth/sub-001/sub-001_truth.json")["tissues"]["fat"]
    assert fat["median"] == pytest.approx(nominal["t1"], rel=0.05)
    assert 0 < fat["bound_relative"] < 0.1

    said = capsys.readouterr().out
    assert f"sub-001: {(labels > 0).sum()} voxels fitted" in said
    assert f"{(flags == Flag.CONVERGED).sum()} " in said
    assert f"{fat['median']:.4g}" in said
    assert matplotlib.image.imread(picture).shape[2] >= 3
    description = read_json(output / "dataset_description.json")
    assert description["DatasetType"] == "derivative"


def test_a_t1_map_lies_on_the_scans(virtual, tmp_path):
    assert fit(virtual / "sub-001", "--output", tmp_path) == 0
    scan = nibabel.load(virtual / "sub-001/anat/sub-001_PDw.nii.gz")
    image = nibabel.load(tmp_path / "sub-001/anat/sub-001_T1map.nii.gz")
    np.testing.assert_allclose(image.affine, scan.affine, atol=1e-4)
    body = scan.get_fdata() > 0.2 * scan.get_fdata().max()
    assert (image.get_fdata() > 0)[body].mean() > 0.99
    table = pd.read_csv(tmp_path / "sub-001/tissues.tsv", sep="\t")
    assert list(table["tissue"]) == ["body"] * 3
    assert "truth" not in table


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("S", "L", "A"), ("A", "S", "R")])
def test_scans_stored_in_any_orientation_give_the_same_maps(tmp_path, codes):
    # A block of fat beside one of muscle; the slices are the coarsest axis, wherever it is stored.
    pd_, t1, t2 = np.zeros((3, 12, 10, 4))
    for half, values in ((slice(0, 5), (0.9, 0.38, 0.07)), (slice(5, 10), (0.8, 1.4, 0.05))):
        pd_[1:-1, half, 1:], t1[1:-1, half, 1:], t2[1:-1, half, 1:] = values
    affine = np.diag([2.0, 2.0, 6.0, 1.0])
    inside = pd_ > 0
    times = {"a": (0.01, 0.5), "b": (0.01, 4.0), "c": (0.1, 4.0)}
    sequences = {name: Sequence("SE", *te_tr) for name, te_tr in times.items()}
    words = []
    for name, sequence in {**sequences, "mask": None}.items():
        values = inside.astype(float)
        if sequence:
            values[inside] = 1000 * signal(sequence, pd_[inside], t1[inside], t2[inside])
            words += [f"--sequence={name}=SE,te={sequence.te},tr={sequence.tr}"]
        image = nibabel.Nifti1Image(values, affine)
        turn = nibabel.orientations.axcodes2ornt(codes)
        turned = image.as_reoriented(
            nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), turn)
        )
        write_scan(tmp_path / f"{name}.nii.gz", turned.get_fdata(), turned.affine)
    files = [tmp_path / f"{name}.nii.gz" for name in sequences]
    mask = tmp_path / "mask.nii.gz"
    assert fit(*files, *words, "--mask", mask, "--output", tmp_path / "out") == 0
    found = nibabel.load(tmp_path / "out/sub-01/anat/sub-01_T1map.nii.gz")
    np.testing.assert_allclose(found.affine, affine, atol=1e-4)
    np.testing.assert_allclose(found.get_fdata(), np.where(inside, t1, 0), rtol=1e-4)


def test_gains_and_noise_are_taken(virtual, tmp_path, capsys):
    pdw = virtual / "sub-001/anat/sub-001_PDw.nii.gz"
    raw = Path(shutil.copytree(virtual / "sub-001", tmp_path / "raw/sub-001"))
    array, affine = read_volume(pdw)
    write_scan(raw / "anat/sub-001_PDw.nii.gz", 3 * array, affine)
    tissues = truth(virtual, "dseg")
    assert fit(virtual / "sub-001", "--tissues", tissues, "--output", tmp_path / "a") == 0
    words = [raw, "--tissues", tissues, "--output", tmp_path / "b", "--gain", "PDw=3"]
    assert fit(*words, "--noise", "15", "--rician", "--threads", "1") == 0
    first, second = (
        pd.read_csv(tmp_path / name / "sub-001/tissues.tsv", sep="\t").set_index(
            ["tissue", "parameter"]
        )
        for name in "ab"
    )
    ratio = second["median"] / first["median"]
    assert ratio.loc["muscle"].to_numpy() == pytest.approx(np.ones(3), abs=0.03)
    sidecar = read_json(tmp_path / "b/sub-001/anat/sub-001_T1map.json")
    assert sidecar["Gains"] == {"PDw": 3.0}
    assert sidecar["NoiseStandardDeviation"] == 15
    assert sidecar["Sources"][0] == "../raw/sub-001/anat/sub-001_PDw.nii.gz"


def test_a_scan_on_another_grid_is_named(scans, tmp_path, capsys):
    path = scans / "anat/sub-001_acq-T1w400_T1w.nii.gz"
    array, affine = read_volume(path)
    moved = affine.copy()
    moved[0, 3] += 3
    write_scan(path, array, moved)
    line = sentence(capsys, scans, "--output", tmp_path / "maps")
    assert f"{path} lies elsewhere in the scanner than {scans}/anat/sub-001_PDw.nii.gz" in line
    write_scan(path, array[:-1], affine)
    line = sentence(capsys, scans, "--output", tmp_path / "maps")
    assert f"{path} has 95 x 96 x 8 voxels but " in line
    assert "bring all to one grid" in line
    assert not (tmp_path / "maps").exists()


def test_a_mask_on_another_grid_is_named(scans, tmp_path, capsys):
    mask = tmp_path / "mask.nii.gz"
    write_scan(mask, np.ones((4, 4, 4)), np.eye(4))
    line = sentence(capsys, scans, "--output", tmp_path / "maps", "--mask", mask)
    assert f"{mask} has 4 x 4 x 4 voxels" in line


def test_a_missing_sidecar_is_named_and_can_be_replaced_by_an_option(scans, tmp_path, capsys):
    (scans / "anat/sub-001_PDw.json").unlink()
    words = [scans, "--output", tmp_path / "maps"]
    line = sentence(capsys, *words)
    assert "sub-001_PDw.nii.gz has no sidecar sub-001_PDw.json" in line
    assert "--sequence PDw=SE,te=0.08,tr=4.5" in line
    assert fit(*words, "--sequence", "sub-001_PDw.nii.gz=SE,te=0.008,tr=4.5") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--gain", "PDx=2"], r"--gain names PDx, which is none of the scans PDw.*mean PDw\?"),
        (["--sequence", "T9=SE,te=1,tr=2"], "--sequence names T9"),
        (
            ["--signal", "simko", "--sequence", "PDw=IR-SE,ti=0.2"],
            "--signal simko has no inversion pulse, but PDw has one",
        ),
        (["--rician"], "--rician needs --noise"),
        (["--slice", "8"], "--slice is 8, but the scans have the slices 0 to 7"),
    ],
)
def test_options_that_do_not_fit_are_told(virtual, tmp_path, capsys, words, expected):
    line = sentence(capsys, virtual / "sub-001", "--output", tmp_path / "maps", *words)
    assert re.search(expected, line)


def test_scans_that_do_not_belong_together_are_told(virtual, tmp_path, capsys):
    anat = virtual / "sub-001/anat"
    other = tmp_path / "sub-002_T1w.nii.gz"
    shutil.copy(anat / "sub-001_PDw.nii.gz", other)
    line = sentence(capsys, anat, other, "--output", tmp_path / "maps")
    assert "several patients or sessions (sub-001, sub-002)" in line
    line = sentence(capsys, anat, anat / "sub-001_PDw.nii.gz", "--output", tmp_path / "maps")
    assert "have one name" in line
    line = sentence(capsys, virtual, "--output", tmp_path / "maps")
    assert "holds no scan that is named after BIDS" in line
    line = sentence(capsys, anat / "sub-001_PDw.nii.gz", "--output", tmp_path / "maps")
    assert "at least 3 contrasts" in line
    line = sentence(capsys, virtual / "sub-001", "--output", virtual)
    assert "another BIDS dataset" in line


@pytest.mark.parametrize(
    "word",
    ["--sequence=a=SE,te=x", "--sequence=a=SE,tx=1", "--gain=a=-1", "--noise=0", "--threads=0"],
)
def test_an_option_that_can_not_be_read_ends_with_2(word, capsys):
    with pytest.raises(SystemExit) as end:
        fit("a.nii.gz", "--output", "b", word)
    assert end.value.code == 2
    assert "wanted" in capsys.readouterr().err


def test_names_of_tissues_beside_the_segmentation_are_optional(virtual, tmp_path, capsys):
    path = tmp_path / "labels.nii.gz"
    shutil.copy(truth(virtual, "dseg"), path)
    words = [virtual / "sub-001", "--output", tmp_path / "maps", "--tissues", path]
    assert fit(*words) == 0
    assert "label 2 " in capsys.readouterr().out
    path.with_name("labels.json").write_text(json.dumps({"2": "muscle"}))
    assert fit(*words) == 0
    said = capsys.readouterr().out
    assert "muscle" in said and "label" not in said


def test_without_a_picture_no_matplotlib_is_loaded(virtual, tmp_path):
    code = (
        "import sys\nfrom pipeline_lib.cli import main\n"
        f"main(['fit', {str(virtual / 'sub-001')!r}, '--output', {str(tmp_path)!r}])\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
