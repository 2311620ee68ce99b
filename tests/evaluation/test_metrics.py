"""Metrics by hand, and beside scikit-image's and torchmetrics'."""

import inspect

import numpy as np
import pytest
import skimage.metrics

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


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("data_range", [0.7, 3.0])
def test_the_map_of_similarity_is_that_of_scikit_image(dtype, tolerance, data_range):
    prediction, target, mask = images(dtype=dtype)
    maps = [
        skimage.metrics.structural_similarity(
            one.astype(float),
            other.astype(float),
            data_range=data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        for one, other in zip(target, prediction, strict=True)
    ]
    found = metrics.WindowedTarget(target, data_range).similarity(prediction)
    np.testing.assert_allclose(found, maps, atol=tolerance)
    mean = metrics.ssim(prediction, target, mask=mask, data_range=data_range)
    assert mean == pytest.approx(np.array(maps)[mask].mean(), abs=tolerance)


def test_over_the_whole_frame_the_metrics_are_scikit_images():
    prediction, target, mask = images()
    whole = np.ones_like(mask)
    assert metrics.psnr(prediction, target, mask=whole, data_range=1.3) == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(target, prediction, data_range=1.3)
    )
    assert metrics.nrmse(prediction, target, mask=whole) == pytest.approx(
        skimage.metrics.normalized_root_mse(target, prediction, normalization="euclidean")
    )


def test_within_a_mask_the_metrics_are_scikit_images_of_the_masked_voxels():
    prediction, target, mask = images()
    assert metrics.psnr(prediction, target, mask=mask, data_range=1.3) == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(target[mask], prediction[mask], data_range=1.3)
    )


@pytest.mark.parametrize("name", ["mae", "bias", "nrmse", "psnr", "ssim"])
def test_mask_and_data_range_have_no_default(name):
    parameters = inspect.signature(getattr(metrics, name)).parameters
    assert all(parameter.default is inspect.Parameter.empty for parameter in parameters.values())
    assert "mask" in parameters
    assert ("data_range" in parameters) == (name in ("psnr", "ssim"))


def test_an_empty_mask_and_a_mask_of_numbers_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        metrics.mae(PREDICTION, TARGET, mask=np.zeros_like(MASK))
    with pytest.raises(ValueError, match="bool"):
        metrics.mae(PREDICTION, TARGET, mask=MASK.astype(np.uint8))
    with pytest.raises(ValueError, match="shapes"):
        metrics.mae(PREDICTION, TARGET, mask=MASK[0])
