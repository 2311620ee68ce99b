import numpy as np
import pytest

from pipeline_lib.phantom.kspace import acquired, displaced
from pipeline_lib.signal.noise import with_rician_noise


def rng(seed=1):
    return np.random.default_rng(seed)


def step(size=128):
    image = np.zeros((size, size, 1), dtype=np.float32)
    image[size // 4 : 3 * size // 4] = 100.0
    return image


def test_all_of_k_space_is_rician_noise_to_the_last_bit():
    clean = rng().uniform(0, 100, (12, 10, 3)).astype(np.float32)
    expected = with_rician_noise(clean, 3.0, rng(5))
    np.testing.assert_array_equal(acquired(clean, 3.0, 1.0, rng(5)), expected)


def test_an_edge_overshoots_by_nine_percent():
    # Gibbs: 8.95 % of the step, however many lines there are; the zero-filled grid samples it.
    ringing = acquired(step(512), 0.0, 0.25, rng())[:, 0, 0]
    assert ringing.max() == pytest.approx(108.95, abs=0.6)
    assert ringing[256] == pytest.approx(100, abs=1)
    assert ringing.dtype == np.float32


def test_what_has_no_high_frequencies_stays():
    x = np.arange(64)
    wave = 10 + np.cos(2 * np.pi * 5 * x / 64)
    image = np.broadcast_to(wave[:, None, None], (64, 64, 2)).astype(np.float32)
    np.testing.assert_allclose(acquired(image, 0.0, 0.5, rng()), image, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_beyond_the_acquired_lines_is_lost(axis):
    wave = 10 + np.cos(2 * np.pi * 20 * np.arange(64) / 64)
    across = np.broadcast_to(wave, (64, 64))
    image = (across.T if axis == 0 else across)[:, :, None]
    np.testing.assert_allclose(acquired(image, 0.0, 0.5, rng()), 10, rtol=1e-5)


@pytest.mark.parametrize("share", [1.0, 0.6, 0.25])
def test_noise_in_air_is_rayleigh_of_the_asked_sigma(share):
    noise = acquired(np.zeros((128, 128, 8), dtype=np.float32), 4.0, share, rng())
    # Fewer lines make fewer independent values: 128 * 128 * 8 / 16 at least.
    assert noise.mean() == pytest.approx(1.2533 * 4, rel=0.01)
    assert noise.std() == pytest.approx(0.6551 * 4, rel=0.02)


def test_noise_on_a_strong_signal_has_the_asked_sigma_in_every_column():
    image = acquired(np.full((96, 96, 16), 1000.0, dtype=np.float32), 5.0, 0.5, rng())
    assert image.std() == pytest.approx(5.0, rel=0.02)
    assert image.mean() == pytest.approx(1000.0 + 25 / 2000, abs=0.1)


def test_noise_is_white_over_what_was_acquired_and_nothing_beyond():
    noise = acquired(np.full((64, 64, 200), 1000.0, dtype=np.float32), 2.0, 0.5, rng()) - 1000
    power = np.mean(np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2, axis=2)
    kept = np.abs(np.fft.fftfreq(64)) < 0.25
    within = power[np.ix_(kept, kept)]
    assert power[~kept].max() < 1e-2 * within.mean()
    left, right = within[:8].mean(), within[8:].mean()
    assert left == pytest.approx(right, rel=0.15)


def test_whole_pixels_move_whole_values():
    image = rng().normal(size=(12, 3, 2)).astype(np.float32)
    moved = displaced(image, np.float32(2))
    np.testing.assert_allclose(moved[2:], image[:-2], atol=1e-6)
    np.testing.assert_array_equal(moved[:2], 0)


def test_half_a_pixel_shares_a_value_between_two():
    image = np.zeros((6, 1), dtype=np.float32)
    image[2] = 8.0
    np.testing.assert_allclose(displaced(image, np.float32(-0.25)).ravel(), [0, 2, 6, 0, 0, 0])


def test_the_sum_along_x_is_conserved():
    image = np.zeros((64, 5, 3), dtype=np.float32)
    image[16:48] = rng().normal(1, 0.5, (32, 5, 3))
    shift = rng().normal(0, 4, image.shape).astype(np.float32)
    np.testing.assert_allclose(displaced(image, shift).sum(axis=0), image.sum(axis=0), rtol=1e-4)


def test_displacement_is_linear():
    one, two = rng().normal(size=(2, 20, 4)).astype(np.float32)
    shift = rng(2).normal(0, 2, (20, 4)).astype(np.float32)
    np.testing.assert_allclose(
        displaced(2 * one - two, shift),
        2 * displaced(one, shift) - displaced(two, shift),
        atol=1e-4,
    )


def test_a_stretch_thins_evenly_and_a_fold_adds_up():
    image = np.ones((40, 1), dtype=np.float32)
    x = np.arange(40, dtype=np.float32)[:, None]
    stretched = displaced(image, 0.25 * (x - 19.5))
    np.testing.assert_allclose(stretched[2:-2], 1 / 1.25, rtol=1e-4)
    # The right half is folded onto the left one: both lie there.
    folded = displaced(image, np.where(x > 19.5, 2 * (19.5 - x), 0))
    np.testing.assert_allclose(folded[2:17], 2, rtol=1e-4)
    assert np.abs(folded[23:]).max() < 1e-6
