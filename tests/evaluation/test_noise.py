"""The noise of an image, where it is known."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.noise import noise_sigma
from pipeline_lib.signal.noise import with_rician_noise
from tests.evaluation.fabricate import patient

RNG = np.random.default_rng(0)


def labels_of(slices):
    return slices.body * (1 + slices.tissues.astype(int))


@pytest.mark.parametrize("sigma", [0.005, 0.01, 0.03])
def test_known_noise_is_found_in_textured_tissue_with_edges(sigma):
    slices = patient("sub-001", noise=sigma, size=128, slices=4)
    for contrast in range(3):
        found = noise_sigma(slices.images[:, contrast], labels_of(slices))
        assert found == pytest.approx(sigma, rel=0.08)


def test_without_tissues_the_edges_within_the_body_matter_little():
    slices = patient("sub-001", noise=0.01, size=128, slices=4)
    found = noise_sigma(slices.images[:, 2], slices.body)
    assert found == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("shift", [0.25, 0.5])
def test_of_noise_that_interpolation_smoothed_the_smoothed_sd_is_found(shift):
    noise = 0.02 * RNG.standard_normal((4, 200, 200))
    moved = ndimage.shift(noise, (0, shift, shift), order=1, mode="nearest")
    labels = np.ones(noise.shape, dtype=int)
    share = shift**2 + (1 - shift) ** 2  # of the variance, along each of two axes
    assert moved.std() == pytest.approx(0.02 * share, rel=0.02)
    assert noise_sigma(moved, labels) == pytest.approx(0.02 * share, rel=0.03)


def test_planes_and_edges_along_the_axes_are_no_noise():
    rows, columns = np.mgrid[:60, :60]
    image = (3.0 * rows + 2.0 * columns + 50 * (rows > 30))[None]
    assert noise_sigma(image, np.ones(image.shape, dtype=int)) == pytest.approx(0, abs=1e-9)


def test_without_any_pixel_to_use_there_is_no_estimate():
    assert np.isnan(noise_sigma(np.ones((1, 20, 20)), np.zeros((1, 20, 20), dtype=int)))


def test_rician_noise_has_the_moments_of_its_distribution():
    image = np.full((4, 200, 200), 0.5, dtype=np.float32)
    noisy = with_rician_noise(image, 0.1, np.random.default_rng(1))
    # E[M^2] = S^2 + 2 sigma^2; for SNR 5 the SD is almost sigma.
    assert (noisy.astype(float) ** 2).mean() == pytest.approx(0.25 + 0.02, rel=0.005)
    assert noisy.std() == pytest.approx(0.1, rel=0.03)
    background = with_rician_noise(0 * image, 0.1, np.random.default_rng(2))
    assert background.mean() == pytest.approx(0.1253, rel=0.01)
