"""What a perfect model scores, by noise and by registration."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import declared_ranges, do_nothing
from pipeline_lib.evaluation.ceilings import (
    noise_ceiling,
    patient_residuals,
    registration_ceiling,
    session_residuals,
    shifted,
)
from pipeline_lib.evaluation.scoring import score_patient
from pipeline_lib.slices.images import Images
from tests.evaluation.fabricate import EVERY_PAIR, leaked, patient

SLICES = patient("sub-004")
TEST = Images(SLICES)
RANGES = declared_ranges([TEST])
STILL = dict.fromkeys(SLICES.contrasts, 0.0)


def value(scores, *key):
    return next(score.value for score in scores if score[1:5] == key)


def test_the_noise_ceiling_is_the_declared_range_over_the_noise():
    images = Images(patient("sub-009", noise=0.02, size=96))
    ranges = declared_ranges([images])
    scores = noise_ceiling(images, ranges, seed=1, pairs=EVERY_PAIR)
    expected = 20 * np.log10(ranges["PDw"] / 0.02)
    assert value(scores, "T1w", "PDw", "fat", "psnr") == pytest.approx(expected, abs=0.7)


def test_the_noise_ceiling_does_not_depend_on_the_source_or_on_the_run():
    scores = noise_ceiling(TEST, RANGES, seed=1, pairs=EVERY_PAIR)
    assert value(scores, "T1w", "T2w", "body", "mae") == value(scores, "T2w", "T2w", "body", "mae")
    assert scores == noise_ceiling(TEST, RANGES, seed=1, pairs=EVERY_PAIR)
    assert scores != noise_ceiling(TEST, RANGES, seed=2, pairs=EVERY_PAIR)


@pytest.mark.parametrize("ceiling", ["noise", "registration"])
@pytest.mark.parametrize("pairs", [EVERY_PAIR, [(2, 0), (0, 1)], [(2, 0), (2, 1)]])
@pytest.mark.parametrize("split", ["patients", "leaked"])
def test_a_ceiling_has_rows_for_what_models_are_scored_on(ceiling, pairs, split):
    images = TEST if split == "patients" else leaked(patient("sub-004", slices=12))[1]
    if ceiling == "noise":
        found = noise_ceiling(images, RANGES, seed=1, pairs=pairs)
    else:
        found = registration_ceiling(images, RANGES, STILL | {"T1w": 2.0}, pairs)
    theirs = score_patient(images, do_nothing(images.slices), RANGES, pairs)
    assert {score[:5] for score in found} == {score[:5] for score in theirs}
    assert len(found) == len(theirs)


def test_without_displacement_the_score_is_perfect():
    scores = registration_ceiling(TEST, RANGES, STILL, EVERY_PAIR)
    assert value(scores, "T1w", "T2w", "body", "psnr") == np.inf
    assert value(scores, "T1w", "T2w", "body", "nrmse") == 0
    assert value(scores, "T1w", "T2w", "body", "ssim") == pytest.approx(1)


def test_the_residuals_of_source_and_target_add_up_as_squares():
    # 3 and 4 mm are as far as 5 mm and the reference.
    three_four = registration_ceiling(TEST, RANGES, {"T2w": 3, "T1w": 4, "PDw": 0}, [(1, 0)])
    five = registration_ceiling(TEST, RANGES, {"T2w": 5, "T1w": 0, "PDw": 0}, [(1, 0)])
    assert three_four == five


def test_the_scores_are_means_over_directions_in_millimetres():
    # Two pixels along the rows are as many millimetres as one along the columns.
    wide = replace(SLICES, spacing=(1.0, 2.0))
    moved = {"T2w": 2.0, "T1w": 0.0, "PDw": 0.0}
    scores = registration_ceiling(Images(wide), RANGES, moved, [(1, 0)])
    angles = np.arange(4) * np.pi / 4
    target, body = wide.images[:, 0], wide.body > 0
    errors = [
        np.abs(shifted(target, np.array([2 * np.sin(a), np.cos(a)])) - target)[body].mean()
        for a in angles
    ]
    assert value(scores, "T1w", "T2w", "body", "mae") == pytest.approx(np.mean(errors), rel=0.02)


def test_a_shift_misses_the_decibels_that_it_does_on_a_phantom():
    # On MRiLab's brain 0.25, 0.5, 1 and 2 pixels leave 29.1, 23.7, 17.9 and 14.9 dB.
    images = Images(replace(patient("sub-001", noise=0.01, size=100, slices=2), spacing=(1.0, 1.0)))
    ranges = declared_ranges([images])
    found = [
        value(
            registration_ceiling(images, ranges, STILL | {"T2w": pixels}, [(1, 0)]),
            "T1w",
            "T2w",
            "body",
            "psnr",
        )
        for pixels in (0.25, 0.5, 1.0, 2.0)
    ]
    falls = -np.diff(found)
    assert (falls > 2).all() and (falls < 7).all()


def test_a_whole_pixel_is_a_roll_and_half_a_pixel_twice_is_a_whole():
    images = np.random.default_rng(0).random((2, 15, 21)).astype(np.float32)
    np.testing.assert_allclose(
        shifted(images, np.array([1.0, -2.0])), np.roll(images, (1, -2), (1, 2)), atol=1e-6
    )
    half = np.array([0.5, 0.0])
    np.testing.assert_allclose(
        shifted(shifted(images, half), half), np.roll(images, 1, 1), atol=1e-6
    )


def test_the_residual_of_a_patient_is_that_of_its_sessions_by_their_slices(tmp_path):
    for session, residual in (("a", 0.3), ("b", 0.9)):
        (tmp_path / session).mkdir()
        entries = {"PDw": 0.0, "T1w": residual, "T2w": 2 * residual}
        entries = {name: {"residual_mm": value} for name, value in entries.items()}
        (tmp_path / session / "registration.json").write_text(json.dumps(entries))
    sessions = session_residuals([tmp_path / "a", tmp_path / "b"])
    slices = replace(SLICES, sessions=("a", "b", "b"))
    found = patient_residuals(slices, sessions)
    assert found == pytest.approx({"PDw": 0, "T1w": 0.7, "T2w": 1.4})
    assert patient_residuals(replace(SLICES, sessions=("a", "b", "c")), sessions) is None
    assert patient_residuals(slices, {}) is None


def test_registrations_that_do_not_fit_are_told(tmp_path):
    with pytest.raises(InputError, match="the registration of sub-004 has no T2w"):
        patient_residuals(SLICES, {"sub-004": {"PDw": 0.0, "T1w": 0.1}})
    with pytest.raises(InputError, match=r"registration\.json is missing"):
        session_residuals([tmp_path / "gone"])
    (tmp_path / "registration.json").write_text('{"T1w": {"residual_mm": null}}')
    with pytest.raises(InputError, match="does not give residual_mm"):
        session_residuals([tmp_path])
