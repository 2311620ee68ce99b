import pytest

from pipeline_lib.disk.need import needed
from pipeline_lib.disk.parts import sizes_by_stage
from tests.disk.fabricate import configured, with_patients


def sizes(configuration):
    return sizes_by_stage(needed(configuration))


def test_a_patients_files_grow_with_the_patients_and_a_models_do_not():
    few, many = sizes(with_patients(3)), sizes(with_patients(30))
    for stage in ("simulate", "simulate (truth)", "correct_bias", "register", "slices", "fit_maps"):
        assert many[stage] == pytest.approx(10 * few[stage])
    assert many["train"] == few["train"]
    assert many["train (checkpoints)"] == few["train (checkpoints)"]
    # Three patients are tested (one as seen) in both, and one of a leaked split.
    assert many["predict"] == few["predict"]


def test_slices_and_predictions_are_of_uncompressed_pixels():
    found = sizes(with_patients(3))
    pixels = 48 * 48 * 8
    assert found["slices"] == 3 * pixels * (3 * 4 + 2)
    pairs = {"pelvis, unet": 9, "pelvis, simko": 9 + 3 * 3, "one_pair, both": 4, "leaked": 3}
    patients = {"pelvis, unet": 2, "pelvis, simko": 2, "one_pair, both": 1, "leaked": 1}
    images = sum(pairs[each] * patients[each] for each in pairs)
    assert found["predict"] == images * pixels * 2


def test_scans_without_noise_or_shading_compress_better():
    usual, clean = sizes(with_patients(3)), sizes(with_patients(3, noise=0, bias_field=0))
    assert clean["simulate"] < 0.7 * usual["simulate"]
    assert clean["simulate (truth)"] < 0.7 * usual["simulate (truth)"]


def test_folds_multiply_what_is_trained_and_predicted():
    experiment = {"dataset": "pelvis", "models": ["unet"], "pairs": [["PDw", "T2w"]]}
    once = sizes(configured(experiments={"a": {**experiment, "split": {"test": 1}}}))
    folds = sizes(configured(experiments={"a": {**experiment, "split": {"folds": 3}}}))
    assert folds["train"] == 3 * once["train"]
    assert folds["predict"] == 3 * once["predict"]
    assert folds["slices"] == once["slices"]


def test_deformations_are_files_of_the_registration():
    dataset = configured()["datasets"]["pelvis"] | {"register": {"transform": "syn"}}
    warped = sizes(configured(datasets={"pelvis": dataset}))
    added = warped["register"] - sizes(with_patients(3))["register"]
    # ANTs' files of a patient of this size have 144.5 kB, one a contrast but the reference.
    assert added == pytest.approx(3 * 2 * 144_500, rel=0.1)


def test_what_is_not_asked_for_needs_nothing():
    dataset = configured()["datasets"]["pelvis"] | {"fit_maps": {"activate": False}}
    assert "fit_maps" not in sizes(configured(datasets={"pelvis": dataset}))
    assert not {"predict_external", "convert_dicom"} & sizes(configured()).keys()
