"""Metrics by hand, and beside scikit-image's and torchmetrics'."""

import inspect
from functools import partial

import numpy as np
import pytest
import skimage.measure
import skimage.metrics
import torch
from scipy import ndimage
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from pipeline_lib.evaluation import metrics

# One slice of 2 x 3 pixels, 4 of them in the mask.
TARGET = np.array([[[3.0, 4.0, 9.0], [0.0, 12.0, 9.0]]])
PREDICTION = np.array([[[4.0, 4.0, 0.0], [0.0, 10.0, 0.0]]])
MASK = np.array([[[True, True, False], [True, True, False]]])


def images(seed=0, shape=(3, 40, 36), dtype=np.float64):
    rng = np.random.default_rng(seed)
    target = rng.random(shape)
    prediction = target + 0.1 * rng.standard_normal(shape)
    return prediction.astype(dtype), target.astype(dtype), rng.random(shape) > 0.4


def test_values_computed_by_hand():
    # Errors 1, 0, 0, -2; norm of the target 13.
    assert metrics.mae(PREDICTION, TARGET, mask=MASK) == pytest.approx(0.75)
    assert metrics.bias(PREDICTION, TARGET, mask=MASK) == pytest.approx(-0.25)
    assert metrics.nrmse(PREDICTION, TARGET, mask=MASK) == pytest.approx(5**0.5 / 13)
    expected = 10 * np.log10(10**2 / 1.25)
    assert metrics.psnr(PREDICTION, TARGET, mask=MASK, data_range=10.0) == pytest.approx(expected)


def test_what_lies_outside_the_mask_does_not_count():
    changed = np.where(MASK, PREDICTION, 1000.0)
    for metric in (metrics.mae, metrics.bias, metrics.nrmse):
        assert metric(changed, TARGET, mask=MASK) == metric(PREDICTION, TARGET, mask=MASK)


def test_nrmse_divides_by_the_target_and_not_by_the_prediction():
    whole = np.ones_like(MASK)
    assert metrics.nrmse(2 * TARGET, TARGET, mask=whole) == pytest.approx(1.0)
    assert metrics.nrmse(TARGET, 2 * TARGET, mask=whole) == pytest.approx(0.5)


def test_a_perfect_answer_has_the_best_value_of_each_metric():
    _, target, mask = images()
    assert metrics.mae(target, target, mask=mask) == 0
    assert metrics.psnr(target, target, mask=mask, data_range=1.0) == np.inf
    assert metrics.ssim(target, target, mask=mask, data_range=1.0) == pytest.approx(1.0)


def test_ssim_of_two_constants_is_the_luminance_term_alone():
    low, high = np.full((1, 20, 20), 0.2), np.full((1, 20, 20), 0.6)
    c1 = 0.01**2
    expected = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)
    whole = np.ones(low.shape, dtype=bool)
    found = metrics.ssim(low, high, mask=whole, data_range=1.0)
    assert found == pytest.approx(expected)


def test_ssim_is_the_mean_of_the_map_within_the_mask():
    prediction, target, mask = images()
    maps = [
        skimage.metrics.structural_similarity(
            one,
            other,
            data_range=0.7,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        for one, other in zip(target, prediction, strict=True)
    ]
    found = metrics.ssim(prediction, target, mask=mask, data_range=0.7)
    assert found == pytest.approx(np.array(maps)[mask].mean(), abs=1e-12)


def test_ssim_away_from_the_border_is_that_of_torchmetrics():
    prediction, target, mask = images()
    mask[:, :5] = mask[:, -5:] = mask[:, :, :5] = mask[:, :, -5:] = False
    _, theirs = structural_similarity_index_measure(
        torch.from_numpy(prediction)[:, None],
        torch.from_numpy(target)[:, None],
        data_range=1.2,
        return_full_image=True,
    )
    found = metrics.ssim(prediction, target, mask=mask, data_range=1.2)
    assert found == pytest.approx(theirs[:, 0].numpy()[mask].mean(), abs=1e-12)


def test_ssim_through_slices_takes_each_session_for_itself():
    prediction, target, mask = images(shape=(24, 14, 16))
    runs = [slice(0, 12), slice(12, 24)]
    maps = [
        skimage.metrics.structural_similarity(
            target[run],
            prediction[run],
            data_range=0.7,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        for run in runs
    ]
    found = metrics.ssim_3d(prediction, target, mask=mask, data_range=0.7, runs=runs)
    assert found == pytest.approx(np.concatenate(maps)[mask].mean(), abs=1e-12)
    whole = metrics.ssim_3d(prediction, target, mask=mask, data_range=0.7, runs=[slice(0, 24)])
    assert abs(found - whole) > 1e-5


def test_without_neighbours_ssim_through_slices_is_that_of_each():
    prediction, target, mask = images()
    alone = [slice(at, at + 1) for at in range(3)]
    found = metrics.ssim_3d(prediction, target, mask=mask, data_range=0.7, runs=alone)
    expected = metrics.ssim(prediction, target, mask=mask, data_range=0.7)
    assert found == pytest.approx(expected, abs=1e-12)


def test_nmi_of_four_voxels_by_hand():
    # Levels within the mask: target 19, 25, 0, 63 (each once), prediction 25, 25, 0, 63.
    found = metrics.nmi(PREDICTION, TARGET, mask=MASK, data_range=10.0)
    target = np.log(4)
    prediction = 0.5 * np.log(2) + 0.5 * np.log(4)
    assert found == pytest.approx((target + prediction) / target)


def test_nmi_is_scikit_images_with_the_same_bins():
    prediction, target, mask = images(seed=1)
    clipped = np.clip(prediction, 0, 1)
    edges = np.linspace(0, 1, 65)
    for chosen in (mask, np.ones_like(mask)):
        expected = skimage.metrics.normalized_mutual_information(
            clipped[chosen], target[chosen], bins=[edges, edges]
        )
        found = metrics.nmi(prediction, target, mask=chosen, data_range=1.0)
        assert found == pytest.approx(expected, rel=1e-9)


def test_nmi_is_blind_to_a_reversal_and_finds_no_information_in_noise():
    rng = np.random.default_rng(0)
    levels = (rng.integers(0, 64, (4, 200, 200)) + 0.5) / 64
    whole = np.ones(levels.shape, dtype=bool)
    assert metrics.nmi(1 - levels, levels, mask=whole, data_range=1.0) == pytest.approx(2)
    noise = rng.random(levels.shape)
    assert metrics.nmi(noise, levels, mask=whole, data_range=1.0) == pytest.approx(1, abs=3e-3)
    flat = np.full(levels.shape, 0.3)
    assert np.isnan(metrics.nmi(flat, flat, mask=whole, data_range=1.0))


def test_perceptual_blur_is_scikit_images_where_the_mask_is_its_inner_frame():
    for seed in range(3):
        _, target, mask = images(seed, (1, 40, 36))
        smooth = ndimage.gaussian_filter(target, (0, seed, 0.5))
        inner = np.zeros_like(mask)
        inner[:, 2:-1, 2:-1] = True  # what scikit-image keeps
        expected = skimage.measure.blur_effect(smooth[0])
        assert metrics.perceptual_blur(smooth, mask=inner) == pytest.approx(expected, abs=1e-12)
        single = metrics.perceptual_blur(smooth.astype(np.float32), mask=inner)
        assert single == pytest.approx(expected, abs=1e-5)


def test_perceptual_blur_by_hand():
    # Steps after column 11 and after row 7. Beside a step Sobel's difference is its height (that of
    # means over 11 pixels 2/11 of it), 3 pixels from it 0 (2/11).
    rows, columns = np.mgrid[:16, :24]
    steps = ((rows >= 8) + 2.0 * (columns >= 12))[None]
    mask = np.zeros(steps.shape, dtype=bool)
    mask[:, :3, 11:13] = mask[:, 7:9, :3] = True
    assert metrics.perceptual_blur(steps, mask=mask) == pytest.approx(2 / 11)
    mask[:, :3, 9:15] = True
    assert metrics.perceptual_blur(steps, mask=mask) == pytest.approx(2 / 11)


def test_an_image_without_edges_along_an_axis_is_as_blurred_as_can_be():
    columns = np.repeat(np.arange(24) // 12, 16).reshape(1, 24, 16).astype(float)
    assert metrics.perceptual_blur(columns, mask=np.ones(columns.shape, dtype=bool)) == 1
    assert skimage.measure.blur_effect(columns[0]) == pytest.approx(1)


def test_blur_is_above_1_where_the_prediction_is_blurrier():
    _, target, mask = images()
    smooth = ndimage.gaussian_filter(target, (0, 1, 1))
    assert metrics.blur(smooth, target, mask=mask) > 1.2
    assert metrics.blur(target, smooth, mask=mask) < 0.8
    assert metrics.blur(target, target, mask=mask) == 1


def test_over_the_whole_frame_the_metrics_are_scikit_images():
    prediction, target, mask = images()
    whole = np.ones_like(mask)
    assert metrics.psnr(prediction, target, mask=whole, data_range=1.3) == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(target, prediction, data_range=1.3)
    )
    theirs = peak_signal_noise_ratio(
        torch.from_numpy(prediction), torch.from_numpy(target), data_range=1.3
    )
    found = metrics.psnr(prediction, target, mask=whole, data_range=1.3)
    assert found == pytest.approx(float(theirs), abs=1e-5)
    assert metrics.nrmse(prediction, target, mask=whole) == pytest.approx(
        skimage.metrics.normalized_root_mse(target, prediction, normalization="euclidean")
    )


def test_within_a_mask_the_metrics_are_scikit_images_of_the_masked_voxels():
    prediction, target, mask = images()
    assert metrics.psnr(prediction, target, mask=mask, data_range=1.3) == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(target[mask], prediction[mask], data_range=1.3)
    )


@pytest.mark.parametrize("name", ["mae", "bias", "nrmse", "psnr", "ssim", "ssim_3d", "nmi", "blur"])
def test_mask_and_data_range_have_no_default(name):
    parameters = inspect.signature(getattr(metrics, name)).parameters
    assert all(parameter.default is inspect.Parameter.empty for parameter in parameters.values())
    assert "mask" in parameters
    assert ("data_range" in parameters) == (name in ("psnr", "ssim", "ssim_3d", "nmi"))


WINDOWED = {
    "mae": metrics.mae,
    "ssim": partial(metrics.ssim, data_range=1.0),
    "ssim_3d": partial(metrics.ssim_3d, data_range=1.0, runs=[slice(0, 1)]),
    "nmi": partial(metrics.nmi, data_range=1.0),
    "blur": metrics.blur,
}


@pytest.mark.parametrize("metric", WINDOWED.values(), ids=WINDOWED)
def test_an_empty_mask_and_a_mask_of_numbers_are_refused(metric):
    with pytest.raises(ValueError, match="at least one"):
        metric(PREDICTION, TARGET, mask=np.zeros_like(MASK))
    with pytest.raises(ValueError, match="bool"):
        metric(PREDICTION, TARGET, mask=MASK.astype(np.uint8))
    with pytest.raises(ValueError, match="shapes"):
        metric(PREDICTION, TARGET, mask=MASK[0])
    with pytest.raises(ValueError, match="shapes"):
        metric(PREDICTION[:, :1], TARGET, mask=MASK)
