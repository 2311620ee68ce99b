"""Baselines and ceiling: what they are, and that they come from training patients alone."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import (
    LookUpTable,
    TrainingMean,
    check_alike,
    declared_ranges,
    do_nothing,
    noise_ceiling,
)
from pipeline_lib.evaluation.scoring import score_patient
from tests.evaluation.fabricate import EVERY_PAIR, patient

TRAINING = [patient("sub-001"), patient("sub-002"), patient("sub-003")]
TEST = patient("sub-004")
RANGES = declared_ranges(TRAINING)


def value(scores, *key):
    return next(score.value for score in scores if score[1:5] == key)


def test_the_range_is_the_median_patients_percentile_within_the_body():
    each = [np.percentile(s.images[:, 2][s.body > 0], 99.9) for s in TRAINING]
    assert RANGES["PDw"] == pytest.approx(sorted(each)[1])
    odd = replace(TRAINING[0], images=100 * TRAINING[0].images)
    assert declared_ranges([odd, *TRAINING[1:]])["PDw"] <= max(each)


def test_bright_background_does_not_widen_the_range():
    outside = (TRAINING[0].body == 0)[:, None]
    bright = replace(TRAINING[0], images=np.where(outside, 50.0, TRAINING[0].images))
    assert declared_ranges([bright]) == declared_ranges(TRAINING[:1])


def test_a_contrast_without_signal_is_told():
    with pytest.raises(InputError, match="T2w has no signal"):
        declared_ranges([replace(TRAINING[0], images=0 * TRAINING[0].images)])


def test_patients_of_other_contrasts_are_told():
    swapped = dict(reversed(TRAINING[0].contrasts.items()))
    with pytest.raises(InputError, match="sub-002 have the contrasts PDw, T1w, T2w"):
        check_alike([TRAINING[0], replace(TRAINING[1], contrasts=swapped)])


def test_doing_nothing_is_perfect_on_the_diagonal_alone():
    scores = score_patient(TEST, do_nothing(TEST), RANGES, EVERY_PAIR)
    assert value(scores, "T1w", "T1w", "body", "mae") == 0
    assert value(scores, "T1w", "T1w", "body", "psnr") == np.inf
    assert value(scores, "T1w", "T2w", "body", "mae") > 0.05


def test_the_training_mean_has_no_bias_on_the_patients_it_is_of():
    baseline = TrainingMean(TRAINING[:1])
    scores = score_patient(TRAINING[0], baseline.answer(TRAINING[0]), RANGES, EVERY_PAIR)
    assert value(scores, "T1w", "T2w", "body", "bias") == pytest.approx(0, abs=1e-6)
    expected = TRAINING[0].images[:, 0][TRAINING[0].body > 0].mean()
    assert baseline.answer(TEST)(1, 0)[TEST.body > 0] == pytest.approx(expected)
    assert (baseline.answer(TEST)(1, 0)[TEST.body == 0] == 0).all()


def test_the_look_up_table_learns_a_curve():
    # A target that is a function of the source alone is answered to within a bin.
    images = TRAINING[0].images.copy()
    images[:, 0] = 0.8 - 0.5 * images[:, 2] ** 2
    curved = replace(TRAINING[0], images=images)
    table = LookUpTable([curved], declared_ranges([curved]))
    error = table.answer(curved)(2, 0) - images[:, 0]
    # Beyond the range (0.1 % of the voxels) the last bin answers.
    assert np.percentile(np.abs(error[curved.body > 0]), 99) < 0.005


def test_the_look_up_table_fills_bins_that_no_voxel_had():
    images = np.zeros_like(TRAINING[0].images)
    images[:, 0], images[:, 1] = 0.1, 1.0
    images[:1, 0], images[:1, 1] = 0.9, 3.0
    table = LookUpTable([replace(TRAINING[0], images=images)], {"T2w": 1.0, "T1w": 3.0, "PDw": 1.0})
    values = table.look_up(np.array([0.0, 0.1, 0.5, 0.9, 5.0]), 0, 1)
    np.testing.assert_allclose(values, [1, 1, 2, 3, 3], atol=0.01)


def test_a_look_up_table_beats_doing_nothing_and_the_mean():
    table = LookUpTable(TRAINING, RANGES).answer(TEST)
    errors = {
        name: value(score_patient(TEST, answer, RANGES, EVERY_PAIR), "PDw", "T2w", "body", "nrmse")
        for name, answer in (
            ("table", table),
            ("nothing", do_nothing(TEST)),
            ("mean", TrainingMean(TRAINING).answer(TEST)),
        )
    }
    assert errors["table"] < errors["mean"] < errors["nothing"]


def test_the_noise_ceiling_is_the_declared_range_over_the_noise():
    slices = patient("sub-009", noise=0.02, size=96)
    ranges = declared_ranges([slices])
    scores = noise_ceiling(slices, ranges, seed=1, pairs=EVERY_PAIR)
    expected = 20 * np.log10(ranges["PDw"] / 0.02)
    assert value(scores, "T1w", "PDw", "fat", "psnr") == pytest.approx(expected, abs=0.7)
    assert len(scores) == 9 * 3 * 5


def test_the_noise_ceiling_has_rows_for_the_pairs_alone():
    every = noise_ceiling(TEST, RANGES, seed=1, pairs=EVERY_PAIR)
    some = noise_ceiling(TEST, RANGES, seed=1, pairs=[(2, 0), (0, 1)])
    assert {score[1:3] for score in some} == {("PDw", "T2w"), ("T2w", "T1w")}
    assert set(some) <= set(every)


def test_the_noise_ceiling_does_not_depend_on_the_source_or_on_the_run():
    scores = noise_ceiling(TEST, RANGES, seed=1, pairs=EVERY_PAIR)
    assert value(scores, "T1w", "T2w", "body", "mae") == value(scores, "T2w", "T2w", "body", "mae")
    assert scores == noise_ceiling(TEST, RANGES, seed=1, pairs=EVERY_PAIR)
    assert scores != noise_ceiling(TEST, RANGES, seed=2, pairs=EVERY_PAIR)
