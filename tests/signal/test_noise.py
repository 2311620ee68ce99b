import numpy as np
import pytest

from pipeline_lib.signal.noise import with_rician_noise


def test_background_has_the_mean_and_spread_of_a_rayleigh_variable():
    noise = with_rician_noise(np.zeros((100, 100, 30)), 2.0, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(1.253 * 2, rel=0.01)
    assert noise.std() == pytest.approx(0.655 * 2, rel=0.01)


def test_mean_square_is_signal_square_plus_two_variances():
    noisy = with_rician_noise(np.full((100, 100, 30), 3.0), 2.0, np.random.default_rng(1))
    assert (noisy.astype(float) ** 2).mean() == pytest.approx(9 + 2 * 4, rel=0.01)


def test_no_noise_leaves_the_magnitude():
    image = np.array([[-1.0, 0.5]])
    np.testing.assert_allclose(with_rician_noise(image, 0.0, np.random.default_rng(0)), [[1, 0.5]])
