"""The stage correct_bias on a small session with two grids."""

import json
import sys

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scans import read_volume, spacing_of, write_scan
from pipeline_lib.stages import correct_bias
from tests.imaging.heads import grid, head

OPTIONS = {
    "contrasts": {"T1w": {}, "T2w": {}},
    "reference": "T2w",
    "correct_bias": {
        "shrink": 2,
        "iterations": [10, 10],
        "tolerance": 1e-3,
        "spline_spacing": 200.0,
        "field": "shared",
    },
}


def run(monkeypatch, scans, folder, **changes):
    options = OPTIONS | {"correct_bias": OPTIONS["correct_bias"] | changes}
    checked = folder / "checked"
    checked.mkdir()
    (checked / "scans.json").write_text(json.dumps({"T1w": {}, "T2w": {}}))
    arguments = ["--scans", *map(str, scans), "--checked", str(checked)]
    arguments += ["--output", str(folder / "out"), "--options", json.dumps(options)]
    monkeypatch.setattr(sys, "argv", ["correct_bias", *arguments])
    correct_bias.main()
    return folder / "out"


def session(folder):
    paths = []
    for contrast, (shape, affine) in {
        "T1w": grid(),
        "T2w": grid((56, 60, 24), (3.5, 3.5, 5.0)),
    }.items():
        paths.append(folder / f"{contrast}.nii.gz")
        write_scan(paths[-1], head(contrast, shape, affine, noise=0.01), affine)
    return paths


def test_a_session_gives_scan_field_and_mask_on_each_scans_own_grid(tmp_path, monkeypatch):
    paths = session(tmp_path)
    out = run(monkeypatch, paths, tmp_path)
    for contrast, path in zip(("T1w", "T2w"), paths, strict=True):
        raw, affine = read_volume(path)
        corrected, corrected_affine = read_volume(out / f"{contrast}.nii.gz")
        field, _ = read_volume(out / f"{contrast}_field.nii.gz")
        mask, _ = read_volume(out / f"{contrast}_mask.nii.gz")
        np.testing.assert_allclose(corrected_affine, affine, atol=1e-5)
        np.testing.assert_allclose(corrected * field, raw, rtol=1e-4, atol=1e-2)
        assert set(np.unique(mask)) == {0, 1}
        assert 0.2 < mask.mean() < 0.8
    settings = json.loads((out / "settings.json").read_text())
    assert settings["n4"]["spline_spacing"] == 200.0
    assert settings["contrasts"]["T2w"]["scan"] == str(paths[1])


def test_without_correction_scans_stay_and_the_field_is_one(tmp_path, monkeypatch):
    paths = session(tmp_path)
    out = run(monkeypatch, paths, tmp_path, activate=False)
    for contrast, path in zip(("T1w", "T2w"), paths, strict=True):
        raw, affine = read_volume(path)
        corrected, corrected_affine = read_volume(out / f"{contrast}.nii.gz")
        field, _ = read_volume(out / f"{contrast}_field.nii.gz")
        mask, _ = read_volume(out / f"{contrast}_mask.nii.gz")
        np.testing.assert_array_equal(corrected, raw)
        np.testing.assert_array_equal(field, np.ones_like(raw))
        np.testing.assert_array_equal(mask, body_mask(raw, spacing_of(affine)))
        np.testing.assert_allclose(corrected_affine, affine, atol=1e-5)
    settings = json.loads((out / "settings.json").read_text())
    assert settings["n4"]["activate"] is False
    assert settings["contrasts"]["T1w"]["field_p99"] == 1.0


def test_without_correction_a_dark_scan_takes_the_references_body(tmp_path, monkeypatch):
    paths = session(tmp_path)
    reference, affine = read_volume(paths[1])
    speck = np.zeros_like(reference)
    speck[3, 3, 3] = 1000.0
    write_scan(paths[0], speck, affine)
    out = run(monkeypatch, paths, tmp_path, activate=False)
    dark, _ = read_volume(out / "T1w_mask.nii.gz")
    body, _ = read_volume(out / "T2w_mask.nii.gz")
    np.testing.assert_array_equal(dark, body)
    assert body.mean() > 0.2


def test_a_scan_without_a_body_is_named(tmp_path, monkeypatch):
    paths = session(tmp_path)
    shape, affine = grid()
    speck = np.zeros(shape, dtype=np.float32)
    speck[3, 3, 3] = 1000.0
    write_scan(paths[1], speck, affine)
    with pytest.raises(InputError, match=r"T2w\.nii\.gz: "):
        run(monkeypatch, paths, tmp_path)
    assert not (tmp_path / "out").exists()
