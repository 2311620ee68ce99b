"""Maps of structural similarity beside scikit-image's."""

import numpy as np
import pytest
import skimage.metrics
import torch

from pipeline_lib.evaluation.similarity import WindowedTarget
from pipeline_lib.evaluation.windows import UNIFORM, tensor

GAUSSIAN_OF_WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def images(seed=0, shape=(3, 40, 36), dtype=np.float64):
    rng = np.random.default_rng(seed)
    target = rng.random(shape)
    prediction = target + 0.1 * rng.standard_normal(shape)
    return prediction.astype(dtype), target.astype(dtype)


def of_scikit_image(prediction, target, data_range, **settings):
    settings = settings or GAUSSIAN_OF_WANG
    return skimage.metrics.structural_similarity(
        target.astype(float), prediction.astype(float), data_range=data_range, full=True, **settings
    )[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("data_range", [0.7, 3.0])
def test_the_map_of_each_slice_is_that_of_scikit_image(dtype, tolerance, data_range):
    prediction, target = images(dtype=dtype)
    windowed = WindowedTarget(tensor(target), data_range)
    found = windowed.similarity(windowed.moments(tensor(prediction))).cpu().numpy()
    assert found.dtype == dtype
    for here, *pair in zip(found, prediction, target, strict=True):
        np.testing.assert_allclose(here, of_scikit_image(*pair, data_range), atol=tolerance)


def test_the_map_through_slices_is_scikit_images_of_each_run():
    prediction, target = images(shape=(25, 14, 16))
    runs = [slice(0, 13), slice(13, 25)]
    windowed = WindowedTarget(tensor(target), 0.9, runs)
    found = windowed.similarity_through(windowed.moments(tensor(prediction))).cpu().numpy()
    for run in runs:
        expected = of_scikit_image(prediction[run], target[run], 0.9)
        np.testing.assert_allclose(found[run], expected, atol=1e-12)


@pytest.mark.parametrize("offset", [0.5, 4.0, 20.0])
def test_in_float32_an_offset_of_both_images_spoils_no_variance(offset):
    prediction, target = images()
    prediction, target = 0.2 * prediction + offset, 0.2 * target + offset
    runs = [slice(0, 3)]
    maps = []
    for kind in (np.float32, np.float64):
        windowed = WindowedTarget(tensor(target.astype(kind)), 0.3, runs)
        moments = windowed.moments(tensor(prediction.astype(kind)))
        maps.append((windowed.similarity(moments), windowed.similarity_through(moments)))
    for single, double in zip(*maps, strict=True):
        assert float((single - double).abs().max()) < 3e-3
        assert float(single.mean()) == pytest.approx(float(double.mean()), abs=1e-4)
    exact = [of_scikit_image(*pair, 0.3) for pair in zip(prediction, target, strict=True)]
    assert float(maps[0][0].mean()) == pytest.approx(np.mean(exact), abs=1e-4)


def test_every_slice_may_have_its_own_range_and_another_window():
    prediction, target = images()
    ranges = np.array([1.0, 2.0, 0.5])
    windowed = WindowedTarget(tensor(target), torch.from_numpy(ranges), (), UNIFORM, 49 / 48)
    found = windowed.similarity(windowed.moments(tensor(prediction))).cpu().numpy()
    for here, one, other, data_range in zip(found, prediction, target, ranges, strict=True):
        expected = of_scikit_image(one, other, data_range, win_size=7)
        np.testing.assert_allclose(here, expected, atol=1e-12)
