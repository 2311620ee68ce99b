"""Scores of a patient: the metrics of the metrics module, for the body and each tissue."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation import metrics
from pipeline_lib.evaluation.scoring import index_pairs, score_patient
from tests.evaluation.fabricate import EVERY_PAIR, NAMES, patient

RANGES = {"T2w": 0.3, "T1w": 0.5, "PDw": 0.9}
SLICES = patient("sub-001")


def wrong_answer(source, target):
    rng = np.random.default_rng([source, target])
    images = SLICES.images[:, target]
    return images + 0.05 * rng.standard_normal(images.shape) + 0.02


SCORES = {
    (s.source, s.target, s.region, s.metric): s
    for s in score_patient(SLICES, wrong_answer, RANGES, EVERY_PAIR)
}


def test_every_pair_region_and_metric_has_one_row():
    assert len(SCORES) == 9 * 3 * 5
    assert {key[2] for key in SCORES} == {"body", "fat", "muscle"}  # the bone is too small


@pytest.mark.parametrize("region", ["body", "fat", "muscle"])
def test_scores_are_those_of_the_metrics_module_on_the_whole_frame(region):
    label = {"fat": 1, "muscle": 2}.get(region)
    mask = SLICES.body > 0 if label is None else SLICES.tissues == label
    for source in range(3):
        for target, name in enumerate(NAMES):
            prediction = wrong_answer(source, target).astype(np.float32)
            truth = SLICES.images[:, target]
            key = (NAMES[source], name, region)
            expected = {
                "mae": metrics.mae(prediction, truth, mask=mask),
                "nrmse": metrics.nrmse(prediction, truth, mask=mask),
                "bias": metrics.bias(prediction, truth, mask=mask),
                "psnr": metrics.psnr(prediction, truth, mask=mask, data_range=RANGES[name]),
                "ssim": metrics.ssim(prediction, truth, mask=mask, data_range=RANGES[name]),
            }
            for metric, value in expected.items():
                assert SCORES[*key, metric].value == pytest.approx(value, rel=1e-4), metric


def test_pairs_alone_are_scored_and_alike_whatever_else_is():
    asked = []

    def answer(source, target):
        asked.append((source, target))
        return wrong_answer(source, target)

    scores = score_patient(SLICES, answer, RANGES, [(2, 0), (0, 1)])
    assert asked == [(2, 0), (0, 1)]
    assert len(scores) == 2 * 3 * 5
    assert all(SCORES[s.source, s.target, s.region, s.metric] == s for s in scores)


def test_pairs_of_names_become_indices_and_an_unknown_name_is_told():
    assert index_pairs([["PDw", "T2w"], ["T2w", "T1w"]], NAMES) == [(2, 0), (0, 1)]
    with pytest.raises(InputError, match="the pair PDw → FLAIR is not of the contrasts T2w, T1w"):
        index_pairs([["PDw", "FLAIR"]], NAMES)


def test_each_row_tells_the_range_of_its_target():
    assert all(score.data_range == RANGES[score.target] for score in SCORES.values())


def test_a_body_that_fills_the_frame_is_scored_too():
    whole = replace(SLICES, body=np.ones_like(SLICES.body))
    scores = score_patient(whole, lambda source, target: whole.images[:, source], RANGES, [(1, 2)])
    found = next(s.value for s in scores if s[1:5] == ("T1w", "PDw", "body", "ssim"))
    expected = metrics.ssim(
        whole.images[:, 1], whole.images[:, 2], mask=whole.body > 0, data_range=RANGES["PDw"]
    )
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_prediction_with_nan_is_told():
    with pytest.raises(InputError, match="T2w from T2w for sub-001 holds NaN"):
        score_patient(
            SLICES, lambda source, target: np.full(SLICES.body.shape, np.nan), RANGES, EVERY_PAIR
        )


def test_a_patient_without_body_is_told():
    empty = replace(SLICES, body=np.zeros_like(SLICES.body))
    with pytest.raises(InputError, match="sub-001 has no voxel of the body"):
        score_patient(empty, wrong_answer, RANGES, EVERY_PAIR)
