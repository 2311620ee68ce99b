"""Baselines: what they are, and that they come from training images alone."""

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
)
from pipeline_lib.evaluation.nearest import NearestCopy
from pipeline_lib.evaluation.scoring import score_patient
from pipeline_lib.slices.images import Images
from tests.evaluation.fabricate import CONTRASTS, EVERY_PAIR, leaked, patient

PATIENTS = [patient("sub-001"), patient("sub-002"), patient("sub-003")]
TRAINING = [Images(slices) for slices in PATIENTS]
TEST = patient("sub-004")
RANGES = declared_ranges(TRAINING)


def value(scores, *key):
    return next(score.value for score in scores if score[1:5] == key)


def test_the_range_is_the_median_patients_percentile_within_the_body():
    each = [np.percentile(s.images[:, 2][s.body > 0], 99.9) for s in PATIENTS]
    assert RANGES["PDw"] == pytest.approx(sorted(each)[1])
    odd = Images(replace(PATIENTS[0], images=100 * PATIENTS[0].images))
    assert declared_ranges([odd, *TRAINING[1:]])["PDw"] <= max(each)


def test_bright_background_does_not_widen_the_range():
    outside = (PATIENTS[0].body == 0)[:, None]
    bright = replace(PATIENTS[0], images=np.where(outside, 50.0, PATIENTS[0].images))
    assert declared_ranges([Images(bright)]) == declared_ranges(TRAINING[:1])


def test_a_contrast_without_signal_is_told():
    with pytest.raises(InputError, match="T2w has no signal"):
        declared_ranges([Images(replace(PATIENTS[0], images=0 * PATIENTS[0].images))])


def test_patients_of_other_contrasts_are_told():
    swapped = dict(reversed(CONTRASTS.items()))
    with pytest.raises(InputError, match="sub-002 have the contrasts PDw, T1w, T2w"):
        check_alike([PATIENTS[0], replace(PATIENTS[1], contrasts=swapped)])


def test_doing_nothing_is_perfect_on_the_diagonal_alone():
    scores = score_patient(Images(TEST), do_nothing(TEST), RANGES, EVERY_PAIR)
    assert value(scores, "T1w", "T1w", "body", "mae") == 0
    assert value(scores, "T1w", "T1w", "body", "psnr") == np.inf
    assert value(scores, "T1w", "T2w", "body", "mae") > 0.05


def test_the_training_mean_has_no_bias_on_the_patients_it_is_of():
    baseline = TrainingMean(TRAINING[:1])
    scores = score_patient(TRAINING[0], baseline.answer(PATIENTS[0]), RANGES, EVERY_PAIR)
    assert value(scores, "T1w", "T2w", "body", "bias") == pytest.approx(0, abs=1e-6)
    expected = PATIENTS[0].images[:, 0][PATIENTS[0].body > 0].mean()
    assert baseline.answer(TEST)(1, 0)[TEST.body > 0] == pytest.approx(expected)
    assert (baseline.answer(TEST)(1, 0)[TEST.body == 0] == 0).all()


def test_the_look_up_table_learns_a_curve():
    # A target that is a function of the source alone is answered to within a bin.
    images = PATIENTS[0].images.copy()
    images[:, 0] = 0.8 - 0.5 * images[:, 2] ** 2
    curved = replace(PATIENTS[0], images=images)
    table = LookUpTable([Images(curved)], declared_ranges([Images(curved)]), EVERY_PAIR)
    error = table.answer(curved)(2, 0) - images[:, 0]
    # Beyond the range (0.1 % of the voxels) the last bin answers.
    assert np.percentile(np.abs(error[curved.body > 0]), 99) < 0.005


def test_the_look_up_table_fills_bins_that_no_voxel_had():
    images = np.zeros_like(PATIENTS[0].images)
    images[:, 0], images[:, 1] = 0.1, 1.0
    images[:1, 0], images[:1, 1] = 0.9, 3.0
    made = Images(replace(PATIENTS[0], images=images))
    table = LookUpTable([made], {"T2w": 1.0, "T1w": 3.0, "PDw": 1.0}, EVERY_PAIR)
    values = table.look_up(np.array([0.0, 0.1, 0.5, 0.9, 5.0]), 0, 1)
    np.testing.assert_allclose(values, [1, 1, 2, 3, 3], atol=0.01)


def test_a_look_up_table_beats_doing_nothing_and_the_mean():
    table = LookUpTable(TRAINING, RANGES, EVERY_PAIR).answer(TEST)
    errors = {
        name: value(
            score_patient(Images(TEST), answer, RANGES, EVERY_PAIR), "PDw", "T2w", "body", "nrmse"
        )
        for name, answer in (
            ("table", table),
            ("nothing", do_nothing(TEST)),
            ("mean", TrainingMean(TRAINING).answer(TEST)),
        )
    }
    assert errors["table"] < errors["mean"] < errors["nothing"]


def test_of_a_leaked_split_only_held_images_count():
    held = np.array([[True, True, False], [True, False, True], [False, True, True]])
    images = Images(PATIENTS[0], held)
    inside = PATIENTS[0].body > 0
    means, ranges = TrainingMean([images]).means, declared_ranges([images])
    for contrast, name in enumerate(CONTRASTS):
        rows = np.flatnonzero(held[:, contrast])
        values = PATIENTS[0].images[rows, contrast][inside[rows]]
        assert means[contrast] == pytest.approx(values.mean())
        assert ranges[name] == pytest.approx(np.percentile(values, 99.9))
    table = LookUpTable([images], RANGES, EVERY_PAIR)
    for pair, row in (((0, 1), 0), ((0, 2), 1), ((1, 2), 2)):
        assert table.counts[pair].sum() == inside[row].sum()
        expected = PATIENTS[0].images[row, pair[1]][inside[row]].sum(dtype=float)
        assert table.sums[pair].sum() == pytest.approx(expected)


def test_a_contrast_without_a_training_image_has_the_constants_of_the_nearest():
    held = np.ones((3, 3), dtype=bool)
    held[:, 2] = False  # PDw, to which T1w is nearer than T2w
    images = [Images(slices, held) for slices in PATIENTS]
    ranges = declared_ranges(images)
    assert ranges["PDw"] == ranges["T1w"] == RANGES["T1w"]
    assert TrainingMean(images).means[2] == TrainingMean(TRAINING).means[1]
    with pytest.raises(InputError, match="holds no image for training"):
        declared_ranges([Images(PATIENTS[0], np.zeros((3, 3), dtype=bool))])


def test_a_pair_without_a_training_slice_is_looked_up_in_the_table_of_the_nearest():
    held = np.ones((3, 3), dtype=bool)
    held[:, 2] = False
    table = LookUpTable([Images(slices, held) for slices in PATIENTS], RANGES, [(2, 0), (0, 2)])
    whole = LookUpTable(TRAINING, RANGES, EVERY_PAIR)
    values = np.linspace(0, 1, 50)
    np.testing.assert_array_equal(table.look_up(values, 2, 0), whole.look_up(values, 1, 0))
    np.testing.assert_array_equal(table.look_up(values, 0, 2), whole.look_up(values, 0, 1))


def test_images_held_out_by_a_leaked_split_change_no_constant():
    slices = patient("head", slices=8)
    training, _ = leaked(slices)
    rng = np.random.default_rng(1)
    out = ~training.held[..., None, None]
    wild = np.where(out, 50 * rng.random(slices.images.shape), slices.images).astype(np.float32)
    spoiled = replace(training, slices=replace(slices, images=wild))
    made = [
        (
            declared_ranges([images]),
            TrainingMean([images]).means.tolist(),
            [LookUpTable([images], RANGES, EVERY_PAIR).answer(TEST)(*p) for p in EVERY_PAIR],
            [NearestCopy([images]).answer(TEST)(*p) for p in EVERY_PAIR],
        )
        for images in (training, spoiled)
    ]
    assert made[0][:2] == made[1][:2]
    for before, after in zip(made[0][2:], made[1][2:], strict=True):
        np.testing.assert_array_equal(before, after)
