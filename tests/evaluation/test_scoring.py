"""Scores of a patient: the metrics of the metrics module, for the body and each tissue."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation import metrics
from pipeline_lib.evaluation.formulas import paper_scores
from pipeline_lib.evaluation.scoring import PatientScorer, score_patient
from pipeline_lib.slices.images import Images
from tests.evaluation.fabricate import EVERY_PAIR, NAMES, patient

RANGES = {"T2w": 0.3, "T1w": 0.5, "PDw": 0.9}
# The third slice has no neighbour.
SLICES = replace(patient("sub-001"), indices=(4, 5, 7))
IMAGES = Images(SLICES)


def wrong_answer(source, target):
    rng = np.random.default_rng([source, target])
    images = SLICES.images[:, target]
    return images + 0.05 * rng.standard_normal(images.shape) + 0.02


SCORES = {
    (s.source, s.target, s.region, s.metric): s
    for s in score_patient(IMAGES, wrong_answer, RANGES, EVERY_PAIR)
}


def test_every_pair_region_and_metric_has_one_row():
    assert len(SCORES) == 9 * (3 * 5 + 3)
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
            if region == "body":
                expected["ssim_3d"] = metrics.ssim_3d(
                    prediction,
                    truth,
                    mask=mask,
                    data_range=RANGES[name],
                    runs=[slice(0, 2), slice(2, 3)],
                )
                expected["nmi"] = metrics.nmi(prediction, truth, mask=mask, data_range=RANGES[name])
                expected["blur"] = metrics.blur(prediction, truth, mask=mask)
            assert {row[3] for row in SCORES if row[:3] == key} == set(expected)
            for metric, value in expected.items():
                assert SCORES[*key, metric].value == pytest.approx(value, rel=1e-5), metric


def test_pairs_alone_are_scored_and_alike_whatever_else_is():
    asked = []

    def answer(source, target):
        asked.append((source, target))
        return wrong_answer(source, target)

    scores = score_patient(IMAGES, answer, RANGES, [(2, 0), (0, 1)])
    assert asked == [(2, 0), (0, 1)]
    assert len(scores) == 2 * (3 * 5 + 3)
    assert all(SCORES[s.source, s.target, s.region, s.metric] == s for s in scores)


def test_each_row_tells_the_range_of_its_target():
    assert all(score.data_range == RANGES[score.target] for score in SCORES.values())


def test_a_body_that_fills_the_frame_is_scored_too():
    whole = replace(SLICES, body=np.ones_like(SLICES.body))
    scores = score_patient(
        Images(whole), lambda source, target: whole.images[:, source], RANGES, [(1, 2)]
    )
    found = next(s.value for s in scores if s[1:5] == ("T1w", "PDw", "body", "ssim"))
    expected = metrics.ssim(
        whole.images[:, 1], whole.images[:, 2], mask=whole.body > 0, data_range=RANGES["PDw"]
    )
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_prediction_with_nan_is_told():
    with pytest.raises(InputError, match="T2w from T2w for sub-001 holds NaN"):
        score_patient(
            IMAGES, lambda source, target: np.full(SLICES.body.shape, np.nan), RANGES, EVERY_PAIR
        )


def test_a_patient_without_body_is_told():
    empty = replace(SLICES, body=np.zeros_like(SLICES.body))
    with pytest.raises(InputError, match="sub-001 has no voxel of the body"):
        score_patient(Images(empty), wrong_answer, RANGES, EVERY_PAIR)


def only(slices, rows):
    """The patient with these slices alone."""
    return replace(
        slices,
        images=slices.images[rows],
        body=slices.body[rows],
        tissues=slices.tissues[rows],
        sessions=tuple(slices.sessions[row] for row in rows),
        indices=tuple(slices.indices[row] for row in rows),
    )


def test_a_pair_is_scored_over_the_slices_that_hold_both_of_its_images():
    held = np.array([[True, True, False], [False, True, True], [True, True, True]])
    found = score_patient(Images(SLICES, held), wrong_answer, RANGES, [(0, 1), (1, 2)])
    for source, target, rows in ((0, 1, [0, 2]), (1, 2, [1, 2])):
        expected = score_patient(
            Images(only(SLICES, rows)),
            lambda source, target, rows=rows: wrong_answer(source, target)[rows],
            RANGES,
            [(source, target)],
        )
        assert [score for score in found if score.target == NAMES[target]] == expected


def test_the_source_that_all_pairs_start_from_need_not_be_held():
    held = np.zeros((3, 3), dtype=bool)
    held[1:, 2] = True
    images = Images(SLICES, held)
    found = score_patient(images, wrong_answer, RANGES, [(1, 2)], experiment=[(1, 2), (1, 0)])
    rest = Images(only(SLICES, [1, 2]))
    assert found == score_patient(rest, lambda *pair: wrong_answer(*pair)[1:], RANGES, [(1, 2)])
    # As one of several sources it need be.
    both = [(1, 2), (0, 2)]
    assert score_patient(images, wrong_answer, RANGES, [(1, 2)], experiment=both) == []


def test_held_slices_without_a_body_have_no_row():
    body = SLICES.body.copy()
    body[0] = 0
    held = np.zeros((3, 3), dtype=bool)
    held[0] = True
    images = Images(replace(SLICES, body=body), held)
    assert score_patient(images, wrong_answer, RANGES, [(0, 1)]) == []


def test_what_was_not_predicted_does_not_count_where_it_is_not_held():
    held = np.ones((3, 3), dtype=bool)
    held[1] = False
    answer = wrong_answer(0, 1)
    answer[1] = np.nan
    scores = score_patient(Images(SLICES, held), lambda *_: answer, RANGES, [(0, 1)])
    assert all(np.isfinite(score.value) for score in scores)


def test_a_papers_formula_is_of_the_whole_slices_that_are_held():
    held = np.ones((3, 3), dtype=bool)
    held[1] = False
    scores = score_patient(Images(SLICES, held), wrong_answer, RANGES, [(0, 1)], "crl2024")
    found = {score.metric: score.value for score in scores if score.region == "paper"}
    rows = [0, 2]
    expected = paper_scores(
        "crl2024", wrong_answer(0, 1)[rows], SLICES.images[rows, 1], RANGES["T1w"]
    )
    assert found == expected
    assert not any(score.region == "paper" for score in SCORES.values())


def test_an_unknown_paper_is_told():
    with pytest.raises(InputError, match=r"paper crl2025 \(did you mean crl2024"):
        score_patient(IMAGES, wrong_answer, RANGES, [], "crl2025")


def test_the_cut_keeps_the_values_of_what_lies_within():
    half = SLICES.images[:, 0].astype(np.float16)
    half.flags.writeable = False
    for rows in (None, np.array([0, 2]), np.array([1])):
        scorer = PatientScorer(SLICES, rows)
        cut = scorer.cut(half)
        assert cut.dtype == np.float32
        assert cut.shape == scorer.body.shape
        kept = SLICES.body if rows is None else SLICES.body[rows]
        inside = half if rows is None else half[rows]
        np.testing.assert_array_equal(cut[scorer.body], inside[kept > 0].astype(np.float32))
