"""The stages between raw scans and slices, one after the other on a tiny virtual patient."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.imaging.bids import scan_name
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scans import read_label_map, read_scan, spacing_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.stages import correct_bias, quality, register, scale, segment, simulate

CONTRASTS = {
    "T1w": {"sequence": "SE", "te": 0.012, "tr": 0.5},
    "PDw": {"sequence": "SE", "te": 0.012, "tr": 4.5},
}
OPTIONS = {
    "seed": 1,
    "dataset": "tiny",
    "contrasts": CONTRASTS,
    "reference": "PDw",
    "virtual": {
        "anatomy": "pelvis", "field_strength": 3, "size": [96, 64, 16], "spacing": [4.0, 4.0, 6.0],
        "signal": "exact", "noise": 0.01, "bias_field": 0.4, "label_file": None,
        "motion": {"translation": 5.0, "rotation": 5.0},
    },
    "correct_bias": {
        "shrink": 2, "iterations": [30, 30, 30], "tolerance": 1e-4, "spline_spacing": 200.0,
        "field": "shared",
    },
    "register": {"transform": "rigid"},
    "segment": {"tissues": "truth"},
    "scale": {"percentile": 99.9},
}  # fmt: skip


def raw_scan(folder, contrast, contrasts):
    name = scan_name("sub-001", contrast, Sequence.from_mapping(contrasts[contrast]))
    return folder / f"raw/anat/{name}.nii.gz"


def run_all(folder, patch, options):
    def run(stage, *arguments):
        words = [str(word) for word in arguments]
        patch.setattr("sys.argv", [stage.__name__, "--options", json.dumps(options), *words])
        stage.main()

    raw, truth = folder / "raw", folder / "truth"
    scans = [raw_scan(folder, name, options["contrasts"]) for name in options["contrasts"]]
    corrected, registered = folder / "corrected", folder / "registered"
    segmented = folder / "segmented"
    checked = folder / "checked"
    checked.mkdir()
    (checked / "scans.json").write_text(json.dumps(options["contrasts"]))
    run(simulate, "--patient", "sub-001", "--output", raw, "--output-truth", truth)
    run(correct_bias, "--scans", *scans, "--checked", checked, "--output", corrected)
    run(register, "--corrected", corrected, "--truth", truth, "--session", "sub-001",
        "--output", registered)  # fmt: skip
    run(segment, "--registered", registered, "--truth", truth, "--session", "sub-001",
        "--output", segmented)  # fmt: skip
    run(scale, "--registered", registered, "--segmented", segmented, "--patient", "sub-001",
        "--output", folder / "scale")  # fmt: skip
    run(quality, "--scans", *scans, "--corrected", corrected, "--registered", registered,
        "--segmented", segmented, "--session", "sub-001",
        "--output", folder / "quality")  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        run_all(folder, patch, OPTIONS)
    return folder


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """A patient who did not move, under a scanner without noise and shading."""
    folder = tmp_path_factory.mktemp("still")
    contrasts = {"far": {"sequence": "SE", "te": 1.0, "tr": 1.2}, **CONTRASTS}
    contrasts |= {f"p{i}": {"sequence": "SE", "te": 0.02 * i, "tr": 2.0} for i in range(1, 7)}
    virtual = {"noise": 0, "bias_field": 0, "motion": {"translation": 0, "rotation": 0}}
    options = OPTIONS | {
        "contrasts": contrasts,
        "virtual": OPTIONS["virtual"] | virtual,
        "correct_bias": OPTIONS["correct_bias"] | {"activate": False},
        "register": {"transform": "none"},
        "segment": {"tissues": "truth", "body": "reference"},
    }
    with pytest.MonkeyPatch.context() as patch:
        run_all(folder, patch, options)
    return folder, contrasts


def test_what_did_not_move_is_not_touched(still):
    folder, contrasts = still
    entries = json.loads((folder / "registered/registration.json").read_text())
    assert list(entries) == list(contrasts)
    for contrast in contrasts:
        raw, affine = read_scan(raw_scan(folder, contrast, contrasts))
        registered, grid = read_scan(folder / f"registered/{contrast}.nii.gz")
        np.testing.assert_array_equal(registered, raw)
        np.testing.assert_array_equal(grid, affine)
        assert entries[contrast]["residual_mm"] == 0.0
        if contrast != "PDw":
            assert entries[contrast]["transform"] == "none"
            assert entries[contrast]["residual_kind"] == "simulated motion"


def test_a_contrast_that_shows_little_does_not_shrink_the_body(still):
    folder, _ = still
    body, _ = read_label_map(folder / "segmented/body.nii.gz")
    reference, affine = read_scan(folder / "registered/PDw.nii.gz")
    np.testing.assert_array_equal(body, body_mask(reference, spacing_of(affine)))


def test_the_table_has_all_contrasts_and_the_pictures_six(still):
    folder, contrasts = still
    table = pd.read_csv(folder / "quality/bias.csv")
    assert set(table["contrast"]) == set(contrasts)
    assert (table["cv_corrected"] == table["cv_raw"]).all()
    with Image.open(folder / "quality/correct_bias.png") as picture:
        assert picture.width == 6 * 2.2 * 80


def test_the_residual_against_the_simulated_motion_is_under_half_a_millimetre(prepared):
    entries = json.loads((prepared / "registered/registration.json").read_text())
    assert entries["T1w"]["residual_kind"] == "simulated motion"
    assert entries["T1w"]["residual_mm"] < 0.5
    assert entries["PDw"]["transform"] == "identity"


def test_fat_and_muscle_are_more_even_after_bias_correction(prepared):
    table = pd.read_csv(prepared / "quality/bias.csv").set_index(["contrast", "tissue"])
    for contrast in CONTRASTS:
        for tissue in ("fat", "muscle"):
            row = table.loc[(contrast, tissue)]
            assert row["cv_corrected"] < row["cv_raw"], (contrast, tissue)


def test_the_body_holds_the_labelled_tissues(prepared):
    body, _ = read_label_map(prepared / "segmented/body.nii.gz")
    tissues, _ = read_label_map(prepared / "segmented/tissues.nii.gz")
    assert (body[tissues > 0] > 0).all()
    assert 0.2 < body.mean() < 0.8
    assert (tissues > 0).sum() > 0.7 * body.sum()


def test_one_scale_is_near_the_brightest_of_the_reference(prepared):
    content = json.loads((prepared / "scale/scale.json").read_text())
    assert content["contrast"] == "PDw"
    assert content["scale"] == pytest.approx(1000, rel=0.25)


@pytest.mark.parametrize("picture", ["register", "segment", "correct_bias"])
def test_every_step_leaves_a_picture(prepared, picture):
    content = (prepared / "quality" / f"{picture}.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert 5_000 < len(content) < 400_000


def test_transforms_are_written_for_every_contrast(prepared):
    for contrast in CONTRASTS:
        text = (prepared / f"registered/{contrast}_transform.txt").read_text()
        assert text.startswith("#Insight Transform File")
