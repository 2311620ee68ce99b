"""Fits of magnitudes whose noise floor is not small."""

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.noise import rician_information
from pipeline_lib.quantify.rician import expected_magnitude
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

TIMES = ((0.01, 0.5), (0.01, 1.5), (0.01, 5.0), (0.05, 5.0), (0.1, 5.0), (0.16, 5.0))
SEQUENCES = [Sequence("SE", te, tr) for te, tr in TIMES]
MUSCLE = (0.8, 1.4, 0.04)
CLEAN = np.array([signal(sequence, *MUSCLE) for sequence in SEQUENCES])
SIGMA = CLEAN.max() / 15


def magnitudes(count, seed=0):
    rng = np.random.default_rng(seed)
    noise = SIGMA * rng.standard_normal((2, count, len(CLEAN)))
    return np.hypot(CLEAN + noise[0], noise[1])


def test_the_noise_floor_lengthens_t2_of_least_squares_and_not_of_the_likelihood():
    # The last echo is a third of the noise: its mean magnitude is the noise's.
    assert CLEAN.min() < 0.4 * SIGMA
    signals = magnitudes(20_000)
    squares = fit(signals, SEQUENCES, sigma=SIGMA)
    likely = fit(signals, SEQUENCES, sigma=SIGMA, rician=True)
    assert np.median(squares.t2) > 1.05 * MUSCLE[2]
    assert np.median(likely.t2) == pytest.approx(MUSCLE[2], rel=0.01)
    assert np.median(likely.t1) == pytest.approx(MUSCLE[1], rel=0.01)


def test_estimates_maximise_rices_likelihood():
    signals = magnitudes(5, seed=1)
    maps = fit(signals, SEQUENCES, sigma=SIGMA, rician=True)

    def surprise(logarithms, measured):
        clean = np.array([signal(sequence, *np.exp(logarithms)) for sequence in SEQUENCES])
        return -stats.rice.logpdf(measured, clean / SIGMA, scale=SIGMA).sum()

    for voxel, measured in enumerate(signals):
        found = np.log([maps.pd[voxel], maps.t1[voxel], maps.t2[voxel]])
        best = optimize.minimize(
            surprise, np.log(MUSCLE), (measured,), method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000},
        )  # fmt: skip
        assert surprise(found, measured) <= best.fun + 1e-6


def test_scatter_of_the_likelihoods_estimates_reaches_their_bound():
    maps = fit(magnitudes(20_000, seed=2), SEQUENCES, sigma=SIGMA, rician=True)
    assert maps.t2.std() == pytest.approx(np.median(maps.t2_bound), rel=0.05)


def test_bright_signals_give_what_least_squares_give():
    sequences = [*SEQUENCES[:3], Sequence("SE", 0.03, 5.0)]
    signals = np.array([[signal(sequence, *MUSCLE) for sequence in sequences]])
    squares, likely = (
        fit(signals, sequences, sigma=1e-4 * signals.max(), rician=rician)
        for rician in (False, True)
    )
    assert likely.t2 == pytest.approx(squares.t2, rel=1e-5)
    assert likely.t2_bound == pytest.approx(squares.t2_bound, rel=0.01)


def test_the_expected_magnitude_is_that_of_rices_distribution():
    clean = torch.tensor([0.0, 0.5, 1.0, 3.0, 10.0], dtype=torch.float64)
    found = expected_magnitude(clean, torch.tensor(2.0, dtype=torch.float64))
    np.testing.assert_allclose(found, stats.rice.mean(clean.numpy() / 2, scale=2.0), rtol=1e-9)


def test_information_of_a_magnitude_grows_from_nothing_to_that_of_a_gaussian_value():
    snr, told = rician_information()
    assert told[0] == pytest.approx(0, abs=1e-9)
    assert told[-1] == pytest.approx(1, abs=0.01)
    assert (np.diff(told) > 0).all()
    # By differences of the logarithm of the density.
    magnitude, step = np.linspace(1e-3, 12, 20_000), 1e-4
    at = int(np.searchsorted(snr, 1.5))
    slopes = (
        stats.rice.logpdf(magnitude, snr[at] + step) - stats.rice.logpdf(magnitude, snr[at] - step)
    ) / (2 * step)
    expected = (slopes**2 * stats.rice.pdf(magnitude, snr[at])).sum() * (12 / 20_000)
    assert told[at] == pytest.approx(expected, rel=1e-3)
